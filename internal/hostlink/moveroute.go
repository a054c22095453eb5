package hostlink

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// switchOver moves nexthops and routes. Those without a gateway come first: by them
// the kernel finds out that a gateway is on the link.
func (m *move) switchOver() {
	old, order := m.leaving(), m.inOrder()
	for _, r := range order {
		if r.direct() {
			m.route(r, old)
		}
	}
	for _, n := range m.want.Nexthops {
		if !slices.ContainsFunc(m.to.Nexthops, n.same) {
			m.add(setNexthop(m.to.Name, n))
		}
	}
	for _, r := range order {
		if !r.direct() {
			m.route(r, old)
		}
	}
	m.leftovers()
}

// leaving are the routes that the old device is not to keep. Those of nexthop objects
// go where these go.
func (m *move) leaving() routeSet {
	stay := routeSetOf(m.stay.Routes)
	return routeSetOf(slices.DeleteFunc(slices.Clone(m.from.Routes), func(r Route) bool {
		return stay.contains(r) && !r.Attrs.has(attrNexthop)
	}))
}

func (n Nexthop) same(other Nexthop) bool { return n.canonical() == other.canonical() }

// inOrder are the wanted routes, those between which the kernel chooses by their order
// in that order.
func (m *move) inOrder() []Route {
	list := slices.Clone(m.want.Routes)
	slices.SortStableFunc(list, func(a, b Route) int { return cmp.Compare(a.Rank, b.Rank) })
	return list
}

// direct says whether the destination is on the link.
func (r Route) direct() bool {
	return !gateway(r.Attrs).IsValid() && !r.Attrs.has(unix.RTA_MULTIPATH) && !r.Attrs.has(attrNexthop)
}

// route brings one route to the new device.
func (m *move) route(r Route, all routeSet) {
	old, moved := all.find(r)
	have, there := m.has.find(r)
	switch {
	case there && !m.made.contains(r):
		m.sameEnd(r, have)
	case r.Attrs.has(attrNexthop):
		// It follows its nexthop, unless somebody took it.
		if !moved {
			m.add(setRoute("append", m.to.Name, r))
		}
	case m.made.contains(r):
		m.comesWithAddress(r, old, moved)
	case moved && old.replaceable():
		m.add(setRoute("replace", m.to.Name, r))
	case moved:
		m.add(setRoute("append", m.to.Name, r), deleteRoute(m.from.Name, old))
	case r.Rank == 0 && r.Others > 0 && r.family() == unix.AF_INET:
		m.add(setRoute("prepend", m.to.Name, r))
	default:
		m.add(setRoute("append", m.to.Name, r))
	}
}

// comesWithAddress is about a route that the kernel made with an address: behind those
// of other devices to the same destination. Where the old one was before them, the new
// one takes its place. One that several IPv6 addresses have in common ends with the one
// that came last, until it is given again; and one that is not the only one of its
// prefix is perhaps gone: when an address changes, the kernel takes the first for that
// of the address (modify_prefix_route in net/ipv6/addrconf.c).
func (m *move) comesWithAddress(r, old Route, moved bool) {
	if r.family() == unix.AF_INET6 && (r.sharedBy(m.want.Addresses) || r.besideOthers(m.want.Addresses)) {
		m.add(setRoute("append", m.to.Name, r))
		return
	}
	if !moved || old.Others == 0 || !old.replaceable() {
		return
	}
	m.add(deleteRoute(m.to.Name, r), setRoute("replace", m.to.Name, r))
}

// sharedBy says whether a route comes with several addresses, one of which has an end.
func (r Route) sharedBy(list []Address) bool {
	count, ending := 0, false
	for _, a := range list {
		if _, ends := a.lifetime(); routeSetOf(a.connected()).contains(r) {
			count, ending = count+1, ending || ends
		}
	}
	return count > 1 && ending
}

// besideOthers says whether other addresses bring a route to the same prefix with
// another metric.
func (r Route) besideOthers(list []Address) bool {
	return slices.ContainsFunc(list, func(a Address) bool {
		return slices.ContainsFunc(a.connected(), func(o Route) bool {
			return o.destination() == r.destination() && o.Attrs.number(unix.RTA_PRIORITY) != r.Attrs.number(unix.RTA_PRIORITY)
		})
	})
}

// sameEnd lets a route of IPv6 that has an end have another one, or none: to add it
// again does that.
func (m *move) sameEnd(r, have Route) {
	end, other := r.Attrs.number(attrExpires), have.Attrs.number(attrExpires)
	if other != 0 && (end == 0 || !near(end, other)) {
		m.add(setRoute("append", m.to.Name, r))
	}
}

// replaceable says whether a request to replace a route hits this one: for IPv4 the
// kernel replaces the first of a destination and metric; for IPv6 it is not so simple
// (fib6_add_rt2node in net/ipv6/ip6_fib.c), and it must be the only one.
func (r Route) replaceable() bool {
	if r.family() == unix.AF_INET6 {
		return r.Others == 0
	}
	return r.Rank == 0
}

// leftovers takes away what neither device is to have, and what the new one got
// otherwise than in the place of the old one. Routes that come with an address go with
// it.
func (m *move) leftovers() {
	want, stay, going := routeSetOf(m.want.Routes), routeSetOf(m.stay.Routes), m.going()
	for _, r := range m.from.Routes {
		settled := want.contains(r) && !m.copied(r)
		if !m.vanish && !settled && !stay.contains(r) && !going.contains(r) && !r.Attrs.has(attrNexthop) {
			m.add(deleteRoute(m.from.Name, r))
		}
	}
	for _, r := range slices.Concat(m.has.list, m.made.list) {
		if !want.contains(r) && !r.Attrs.has(attrNexthop) {
			m.add(deleteRoute(m.to.Name, r))
		}
	}
}

// going are the routes that the kernel takes from the old device with its addresses. A
// route that two addresses have in common stays with the second.
func (m *move) going() (set routeSet) {
	var staying routeSet
	for _, a := range m.stay.Addresses {
		for _, r := range a.connected() {
			staying.add(r)
		}
	}
	for _, a := range m.from.Addresses {
		for _, r := range a.taken() {
			if !m.stays(a) && !staying.contains(r) {
				set.add(r)
			}
		}
	}
	return set
}

// copied says whether the new device got its route otherwise than in the place of the
// old one.
func (m *move) copied(r Route) bool { return m.has.contains(r) || m.made.contains(r) }
