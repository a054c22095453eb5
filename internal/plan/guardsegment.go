package plan

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// segment is what guards know of a network.
type segment struct {
	n      *spec.Network
	number string // by which the program knows the bridge

	// Where guests choose their addresses: the first address of each prefix of 64 bits,
	// fe80:: among them, and whole families in which nobody gives any.
	chosen       []netip.Addr
	free4, free6 bool

	held     []netip.Addr // by the host and routers, their link-local addresses too
	reserved []netip.Addr // for guests, by DHCP
	leased   []netip.Addr
	routers  []spec.MAC

	byMAC  map[spec.MAC][]netip.Addr // reserved
	byName map[string][]netip.Addr   // reserved for the port of a name
	byLink map[string][]netip.Addr   // leased, by interface
}

// segment works out what is known of a network, once.
func (g *guarding) segment(name string) *segment {
	if s := g.segments[name]; s != nil {
		return s
	}
	if g.holders == nil {
		g.holders = g.live.Holders()
	}
	n := g.live.Networks[name]
	s := &segment{
		n: n, number: segmentNumber(n.Bridge.Name), chosen: []netip.Addr{linkLocal}, free4: true, free6: true,
		byMAC: map[spec.MAC][]netip.Addr{}, byName: map[string][]netip.Addr{}, byLink: map[string][]netip.Addr{},
	}
	g.segments[name] = s
	for _, h := range g.holders[name] {
		g.held(s, name, h)
	}
	if n.Mode == spec.Bridge {
		g.ofHost(s)
	}
	for _, l := range g.facts.Leases[name] {
		link := g.linkOf(name, l)
		s.byLink[link] = append(s.byLink[link], l.Addr)
		s.leased = append(s.leased, l.Addr)
	}
	return s
}

// linkLocal begins the prefix in which every guest chooses (RFC 4291 2.5.6).
var linkLocal = netip.MustParseAddr("fe80::")

// segmentNumber is made of the bridge's name. Two with one number would do no harm
// but where guests choose the same address on both.
func segmentNumber(bridge string) string {
	h := fnv.New32a()
	h.Write([]byte(bridge))
	return fmt.Sprintf("0x%08x", max(h.Sum32(), 1))
}

// held notes what the host or a router has on the network, and what it gives.
func (g *guarding) held(s *segment, name string, h spec.Holder) {
	mac := (&builder{live: g.live, facts: g.facts}).gatewayMAC(name, s.n, h.Router, h.Interface)
	if h.Interface != nil {
		s.routers = append(s.routers, mac)
	}
	s.held = append(s.held, madeOf(linkLocal, mac))
	for _, sub := range h.Subnets {
		if a := sub.Address.Addr(); a.IsValid() {
			s.held = append(s.held, a)
			s.gives(sub, a.Is4())
		}
	}
}

// gives notes how guests get addresses of a subnet.
func (s *segment) gives(sub spec.Subnet, v4 bool) {
	autonomous := !v4 && autonomous(s.n, sub)
	if autonomous && !slices.Contains(s.chosen, sub.Address.Masked().Addr()) {
		s.chosen = append(s.chosen, sub.Address.Masked().Addr())
	}
	if dhcpOn(sub) || autonomous {
		s.free4, s.free6 = s.free4 && !v4, s.free6 && v4
	}
	if !dhcpOn(sub) {
		return
	}
	for host, r := range sub.DHCP.Hosts {
		s.reserved = append(s.reserved, r.IP)
		if r.ByName() {
			s.byName[host] = append(s.byName[host], r.IP)
		} else if !r.MAC.IsZero() {
			s.byMAC[r.MAC] = append(s.byMAC[r.MAC], r.IP)
		}
	}
}

// autonomous reports whether guests make addresses of a subnet; see raPrefixes.
func autonomous(n *spec.Network, s spec.Subnet) bool {
	on := s.Address.Bits() == slaacBits && !(dhcpOn(s) && len(ranges(s, 0)) > 0)
	override(&on, s.SLAAC)
	return on && (n.RA == nil || spec.Truth(n.RA.Enabled))
}

// ofHost notes what the host has on a bridge of its own. Nothing is given there by
// us.
func (g *guarding) ofHost(s *segment) {
	bridge := s.n.Bridge.Name
	mac := g.facts.Links[bridge].MAC
	if hb := g.live.Bridges[bridge]; hb != nil {
		mac = (&builder{live: g.live, facts: g.facts}).bridgeMAC(bridge, hb)
		for _, p := range hb.Addresses {
			s.held = append(s.held, p.Addr())
		}
		s.held = append(s.held, hb.Gateway...)
	}
	for _, a := range g.facts.Addresses {
		if a.Link == bridge {
			s.held = append(s.held, a.Prefix.Addr())
		}
	}
	if !mac.IsZero() {
		s.held = append(s.held, madeOf(linkLocal, mac))
	}
}

// chooses reports whether guests might choose an address.
func (s *segment) chooses(a netip.Addr) bool {
	if a.Is4() {
		return s.free4
	}
	return s.free6 || slices.Contains(s.chosen, netip.PrefixFrom(a, slaacBits).Masked().Addr())
}

// frees reports in which families a guest chooses any address: where nobody gives
// it one, and none is written down for it.
func (s *segment) frees(w ward) (v4, v6 bool) {
	v4, v6 = s.free4, s.free6
	if w.port != nil {
		for _, a := range w.port.Addresses {
			v4, v6 = v4 && !a.Is4(), v6 && a.Is4()
		}
	}
	return v4, v6
}

// barred are addresses that a guest must not choose. What is kept for the guests of
// a guarded network is kept on the segment.
func (s *segment) barred(ward) []netip.Addr {
	if s.n.Guard.Has(spec.GuardAddress) {
		return s.held
	}
	return slices.Concat(s.held, s.reserved)
}

// permit returns the rows by which a guest may use an address, and others not.
func (s *segment) permit(w ward, a netip.Addr) []Element {
	rows := []Element{{Mark: w.owner, Map: "addresses" + family(a), ID: w.link + " . " + a.String()}}
	if s.chooses(a) {
		rows = append(rows, s.keep(w.owner, a))
	}
	if !w.mac.IsZero() && s.n.GuardOf(w.port).Covers(spec.GuardStrict) {
		id := fmt.Sprintf("%s . %s/0x%04x . %s", w.link, w.mac, etherType(a), a)
		rows = append(rows, Element{Mark: w.owner, Map: "usual" + family(a), ID: id})
	}
	return rows
}

func etherType(a netip.Addr) int {
	if a.Is4() {
		return 0x0800
	}
	return 0x86dd
}

func (s *segment) keep(owner Mark, a netip.Addr) Element {
	return Element{Mark: owner, Map: "kept" + family(a), ID: s.number + " . " + a.String()}
}

// madeOf is the address that a guest makes of its MAC in a prefix (RFC 4291 appendix
// A).
func madeOf(prefix netip.Addr, mac spec.MAC) netip.Addr {
	b := prefix.As16()
	copy(b[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	return netip.AddrFrom16(b)
}
