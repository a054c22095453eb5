package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
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
func TakenBy(have State) TakenList { return takenBy(Facts{}.Learn(have), have) }

func takenBy(facts Facts, have State) TakenList {
	var list TakenList
	for _, o := range have {
		if o.Key().NS != "" || strings.HasPrefix(o.Owner(), "network/") {
			continue // of ours, or a router's affair
		}
		switch o := o.(type) {
		case Addr:
			list = facts.take(list, Taken{o.Prefix, fmt.Sprintf("address %s on %s", o.Prefix, o.Link), false}, o.Link)
		case Route:
			list = facts.take(list, Taken{o.Dst, o.String(), true}, o.Link)
		}
	}
	slices.SortFunc(list, func(a, b Taken) int {
		return cmp.Or(boolCompare(a.Route, b.Route), cmp.Compare(a.By, b.By))
	})
	return list
}

func (f *Facts) take(list TakenList, t Taken, link string) TakenList {
	a := t.Prefix.Addr()
	if t.Prefix.Bits() == 0 || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() || f.ofNetwork(link) {
		return list
	}
	t.Prefix = t.Prefix.Masked()
	return append(list, t)
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
