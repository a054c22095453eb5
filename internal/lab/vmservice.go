package lab

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/verify/client"
)

// udhcpcScript asks for an address and prints what the server says; the guest
// keeps the one it has.
const udhcpcScript = `printf '#!/bin/sh\n[ "$1" = bound ] && echo "bound $ip $serverid"\n' >/tmp/told.sh; chmod +x /tmp/told.sh
udhcpc -i eth0 -n -q -f -t 5 -T 1 -s /tmp/told.sh 2>/dev/null
`

// offered implements asker with udhcpc(8), which takes the address as well; the
// lease ends with its network. It speaks IPv4 only.
func (v vmAsker) offered(ctx context.Context, gateway netip.Prefix) string {
	out, _, err := v.Run(ctx, udhcpcScript)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "bound" {
			if f[2] != gateway.Addr().String() {
				return right(f[1], "offered by "+f[2])
			}
			return f[1]
		}
	}
	return silence
}

// solicitScript has the guest's kernel solicit the router: it does when its
// link-local address is new. It keeps one route for a prefix, and would not say
// that the one it got with its address is advertised, too.
const solicitScript = `for prefix in $(ip -6 route | awk '/^[0-9a-f:]+\/.* dev eth0/ && !/^fe80/ { print $1 }'); do ip -6 route del $prefix dev eth0; done
for local in $(ip -6 addr show dev eth0 | awk '/inet6 fe80/ { print $2 }'); do ip -6 addr del $local dev eth0; ip -6 addr add $local dev eth0; done
`

// advertised implements asker: it tells what the guest's kernel learnt.
func (v vmAsker) advertised(ctx context.Context) string {
	err := v.do(ctx, solicitScript)
	for err == nil {
		var out string
		if out, _, err = v.Run(ctx, "cat /proc/net/ipv6_route"); err != nil {
			break
		}
		if prefixes, router := learnt(out); len(prefixes) > 0 {
			return client.Advertised(prefixes, router)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return silence
		}
	}
	return unheard(err)
}

// The flag of routes that came with router advertisements (linux/ipv6_route.h).
const rtfAddrconf = 0x00040000

// learnt reads from /proc/net/ipv6_route the prefixes that were advertised, and
// whether there is a default router.
func learnt(routes string) (prefixes []netip.Prefix, router bool) {
	for line := range strings.Lines(routes) {
		f := strings.Fields(line)
		if len(f) != 10 {
			continue
		}
		raw, err1 := hex.DecodeString(f[0])
		bits, err2 := strconv.ParseUint(f[1], 16, 8)
		flags, err3 := strconv.ParseUint(f[8], 16, 32)
		a, ok := netip.AddrFromSlice(raw)
		if err1 != nil || err2 != nil || err3 != nil || !ok || flags&rtfAddrconf == 0 {
			continue
		}
		if bits == 0 {
			router = true
		} else if !a.IsLinkLocalUnicast() && bits < 128 {
			prefixes = append(prefixes, netip.PrefixFrom(a, int(bits)))
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return slices.Compact(prefixes), router
}

// named implements asker with nslookup.
func (v vmAsker) named(ctx context.Context, q client.Name, _, server netip.Addr) string {
	kind := "a"
	if q.Type == dnsmessage.TypeAAAA {
		kind = "aaaa"
	}
	out, _, err := v.Run(ctx, fmt.Sprintf("nslookup -type=%s %s %s", kind, q.Name, server))
	if err != nil {
		return err.Error()
	}
	return looked(out)
}

// looked reads the address from what nslookup prints; the first one there is the
// server's.
func looked(out string) string {
	_, answer, found := strings.Cut(out, "Name:")
	if _, a, ok := strings.Cut(answer, "Address:"); found && ok {
		word, _, _ := strings.Cut(strings.TrimSpace(a), "\n")
		return strings.TrimSpace(word)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return silence + ": " + lines[len(lines)-1]
}
