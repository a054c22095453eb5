package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Taken is a prefix the host uses for something else than our networks.
type Taken struct {
	Prefix netip.Prefix
	By     string // "address 192.168.1.5/24 on eth0", "route 10.0.0.0/8 dev wg0"
	Route  bool   // a route, not an address
}

// TakenList is sorted: addresses first.
type TakenList []Taken

// TakenBy lists the prefixes of the host's addresses and routes, but for our
// networks' own, default routes, loopback, link-local and multicast.
func TakenBy(have State) TakenList {
	facts := Facts{}.Learn(have)
	var list TakenList
	add := func(p netip.Prefix, link string, route bool, by string) {
		a := p.Addr()
		if p.Bits() > 0 && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !facts.ofNetwork(link) {
			list = append(list, Taken{p.Masked(), by, route})
		}
	}
	for a := range Of[Addr](have) {
		add(a.Prefix, a.Link, false, fmt.Sprintf("address %s on %s", a.Prefix, a.Link))
	}
	for r := range Of[Route](have) {
		add(r.Dst, r.Link, true, r.String())
	}
	slices.SortFunc(list, func(a, b Taken) int {
		return cmp.Or(boolCompare(a.Route, b.Route), cmp.Compare(a.By, b.By))
	})
	return list
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Prefixes lists the prefixes alone.
func (l TakenList) Prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, len(l))
	for i, t := range l {
		prefixes[i] = t.Prefix
	}
	return prefixes
}

// Blocks returns what stands against using a subnet: an address whose prefix
// overlaps it, or a route to it or into it. A wider route does not: a network
// inside 10.0.0.0/8 is more specific, and the rest of the route still holds.
func (l TakenList) Blocks(subnet netip.Prefix) (Taken, bool) {
	for _, t := range l {
		if t.Prefix.Overlaps(subnet) && (!t.Route || t.Prefix.Bits() >= subnet.Bits()) {
			return t, true
		}
	}
	return Taken{}, false
}
