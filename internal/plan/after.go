package plan

import (
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Acquires lists what is to be got by DHCP: for every uplink with dhcp that is
// there, ordered by router and uplink.
func Acquires(live *spec.Spec, facts Facts) []Acquire {
	if !someByDHCP(live) {
		return nil
	}
	b := builder{live: live, facts: facts, lay: newLayout(live, facts)}
	var list []Acquire
	for name, r := range sorted(live.Routers) {
		rt := newRouting(&b, name, r)
		for _, w := range rt.ways {
			if w.u.DHCP {
				list = append(list, Acquire{NS: name, Link: w.name, MAC: rt.mac(w.name, w.u.MAC), Router: name, Uplink: w.name})
			}
		}
	}
	return list
}

// someByDHCP reports whether any uplink gets its address by DHCP.
func someByDHCP(live *spec.Spec) bool {
	for _, r := range live.Routers {
		if r == nil {
			continue
		}
		for _, u := range r.Ways() {
			if u.DHCP {
				return true
			}
		}
	}
	return false
}

// Announce lists the addresses that the segment they are on has to be told of after
// ops: those that are new to it, all of a router's interface that was plugged in,
// raised, or given another MAC, and of a bridge that was given another MAC.
func Announce(ops []Op, want State) []Addr {
	told := map[Key]Addr{}
	all := func(p place) {
		for a := range Of[Addr](want) {
			if a.NS == p.ns && a.Link == p.link {
				told[a.Key()] = a
			}
		}
	}
	for _, op := range ops {
		switch o := op.Object.(type) {
		case Addr:
			if op.Verb == Add && (o.NS != "" || strings.HasPrefix(o.Owner(), "forward/")) {
				told[o.Key()] = o
			}
		case Up:
			if op.Verb == Add && o.NS != "" {
				all(placeOf(o))
			}
		case Link:
			if op.Verb != Del {
				all(plugged(o))
			}
			if old, was := op.Old.(Link); was && networkBridge(o) && !sameMAC(o, old) {
				all(placeOf(o))
			}
		}
	}
	return slices.SortedFunc(maps.Values(told), func(a, b Addr) int { return compareKeys(a.Key(), b.Key()) })
}

// plugged is the router's interface that a change of a link is about; the zero
// place, which has no addresses, for other links.
func plugged(l Link) place {
	switch {
	case l.NS != "":
		return placeOf(l)
	case l.crosses():
		return place{l.PeerNS, l.Peer}
	}
	return place{}
}

// Severs reports whether ops can have left connections behind that would not begin
// any more.
func Severs(ops []Op) bool {
	fresh := map[place]bool{} // interfaces that are only now judged have no connections
	for _, op := range ops {
		if e, ok := op.Object.(Element); ok && op.Verb == Add && e.Map == "from" {
			fresh[place{e.NS, e.ID}] = true
		}
	}
	return slices.ContainsFunc(ops, func(op Op) bool {
		switch o := op.Object.(type) {
		case Element:
			return op.Verb != Add || judges(o.Map) && !fresh[place{o.NS, o.ID}]
		case Chain: // to a new one leads a new element
			return op.Verb != Add
		case Addr, Link:
			return op.Verb == Del
		}
		return false
	})
}

// judges reports whether a row of a map can forbid what was permitted, or give
// connections another source.
func judges(set string) bool {
	return strings.HasPrefix(set, "policy_") || set == "source" || strings.HasPrefix(set, "masquerade") || strings.HasPrefix(set, "floating_source")
}
