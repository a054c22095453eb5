package lab

import (
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// Addresses of the world (RFC 5737 and RFC 3849 keep them for documentation),
// IPv4 first, IPv6 second, as everywhere in this package.
var (
	outsideAddr   = pair("192.0.2.1/24", "2001:db8:2::1/64") // and the machine's default gateway
	machineAddr   = pair("192.0.2.2/24", "2001:db8:2::2/64")
	neighbourAddr = pair("192.0.2.3/24", "2001:db8:2::3/64")
	farAddr       = pair("198.51.100.1/32", "2001:db8:ffff::1/128") // behind the gateway

	lanGateway   = pair("203.0.113.1/24", "2001:db8:3::1/64") // the outside's leg on the bridged LAN
	lanNeighbour = pair("203.0.113.3/24", "2001:db8:3::3/64")
)

// family tells IPv4 from IPv6: the index into a duo.
type family int

const (
	v4 family = iota
	v6
)

var families = []family{v4, v6}

func (f family) String() string { return [...]string{"IPv4", "IPv6"}[f] }

// duo is an address with its prefix length in each family; the zero Prefix is none.
type duo [2]netip.Prefix

func pair(four, six string) duo {
	return duo{netip.MustParsePrefix(four), netip.MustParsePrefix(six)}
}

func (d duo) has(f family) bool { return d[f].IsValid() }

func (d duo) addr(f family) netip.Addr { return d[f].Addr() }

// list returns what there is.
func (d duo) list() []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(d[:]), func(p netip.Prefix) bool { return !p.IsValid() })
}

// addrs returns the addresses that there are.
func (d duo) addrs() []netip.Addr {
	var list []netip.Addr
	for _, p := range d.list() {
		list = append(list, p.Addr())
	}
	return list
}

// seat is what a guest of a network is given: a NIC and addresses.
type seat struct {
	name string // of guest and port
	mac  spec.MAC
	addr duo
}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return v4
	}
	return v6
}

// chosen is an address that guests agree upon among themselves.
func chosen(index, host int) duo {
	return pair(fmt.Sprintf("10.77.%d.%d/24", index%256, host), fmt.Sprintf("fd77:%x::%x/64", index+1, host))
}

// free finds an address of the subnet that nobody has: the nth, if the subnet is
// that large, or the next one.
func free(subnet netip.Prefix, n int, taken map[netip.Addr]bool) (netip.Prefix, bool) {
	room := 1 << min(subnet.Addr().BitLen()-subnet.Bits(), 16)
	last := room
	if subnet.Addr().Is4() && room > 2 {
		last-- // the broadcast address
	}
	for i := range room {
		host := (n + i) % room
		if p := nth(subnet, host); (host > 0 || room == 2) && host < last && !taken[p.Addr()] {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// nth is the nth address of a subnet, with its prefix length.
func nth(subnet netip.Prefix, n int) netip.Prefix {
	b := subnet.Masked().Addr().AsSlice()
	for i := len(b) - 1; n > 0 && i >= 0; i-- {
		n += int(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, subnet.Bits())
}
