package client

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// Neighbor Discovery as far as a router solicitation needs it (RFC 4861).
const (
	typeSolicitation  = 133
	typeAdvertisement = 134

	ndSource = 1 // options
	ndPrefix = 3

	onlyNeighbours = 255 // hop limit: the packet passed no router
)

// allRouters is where solicitations go.
var allRouters = netip.MustParseAddr("ff02::2")

// Router is what a router says of itself.
type Router struct {
	Lifetime time.Duration  // of the default route; 0 = it is no default router
	Prefixes []netip.Prefix // on the link
	From     netip.Addr
	HopLimit uint8  // of the packet
	Fault    string // of the packet's checksum; "" = none
}

// SolicitRouter asks which router there is. A guest may be a router, too: by is the
// Ethernet address of the one that counts, zero is any. nil is silence.
func (c *Client) SolicitRouter(ctx context.Context, wait time.Duration, by spec.MAC) (*Router, error) {
	p := testhost.Packet{Proto: testhost.ICMP, Type: typeSolicitation, Src: c.linkLocal(), Dst: allRouters, TTL: onlyNeighbours,
		Payload: append([]byte{0, 0, 0, 0, ndSource, 1}, c.mac[:]...)}
	f, heard, err := c.ask(ctx, p, wait, func(f frame) bool {
		return isRouter(f.Packet) && (by.IsZero() || f.SrcMAC == by)
	})
	if err != nil || !heard {
		return nil, err
	}
	return readRouter(f), nil
}

// ndFixed is the size of an advertisement without options, less the four bytes
// that testhost reads.
const ndFixed = 12

func isRouter(p testhost.Packet) bool {
	return p.Proto == testhost.ICMP && p.EtherType == testhost.EtherIPv6 && p.Type == typeAdvertisement && len(p.Payload) >= ndFixed
}

func readRouter(f frame) *Router {
	b := f.Payload
	r := &Router{From: f.Src, HopLimit: f.TTL, Fault: f.fault, Lifetime: time.Duration(binary.BigEndian.Uint16(b[2:])) * time.Second}
	for b = b[ndFixed:]; len(b) >= 8; {
		size := int(b[1]) * 8
		if size == 0 || size > len(b) {
			break
		}
		if b[0] == ndPrefix && size == 32 {
			r.Prefixes = append(r.Prefixes, netip.PrefixFrom(netip.AddrFrom16([16]byte(b[16:32])), int(b[2])))
		}
		b = b[size:]
	}
	return r
}

// String prints what guests learn: "fd00:1::/64, router".
func (r *Router) String() string { return Advertised(r.Prefixes, r.Lifetime > 0) }

// Advertised prints prefixes and whether there is a default router behind them.
func Advertised(prefixes []netip.Prefix, router bool) string {
	var words []string
	for _, p := range prefixes {
		words = append(words, p.String())
	}
	word := "router"
	if !router {
		word = "no router"
	}
	return strings.Join(append(words, word), ", ")
}

// Wrong tells why guests would drop the advertisement (RFC 4861, section 6.1.2);
// "" is nothing.
func (r *Router) Wrong() string {
	switch {
	case r.Fault != "":
		return r.Fault
	case !r.From.IsLinkLocalUnicast():
		return "sent from " + r.From.String()
	case r.HopLimit != onlyNeighbours:
		return fmt.Sprintf("sent with hop limit %d", r.HopLimit)
	}
	return ""
}
