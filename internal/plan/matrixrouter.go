package plan

import (
	"cmp"
	"slices"

	"kvmnet/internal/spec"
)

// toRouter tells what may be opened to a router itself: on its own networks its
// address there, for everybody else those of its uplinks.
func (l *layout) toRouter(from, router string) Cell {
	c := Cell{From: from, To: routerOwner(router), Where: router, Reach: ReachAll, Reason: "its own addresses"}
	e := l.at(from, router)
	if e == nil {
		c.Where = ""
		if !l.outside(from) && !l.leavesBy(router, from) {
			out := l.cell(from, spec.Outside)
			c.Where, c.Reach, c.Only, c.But, c.Reason = out.Where, out.Reach, out.Only, out.But, "as outside: "+out.Reason
		}
		return c
	}
	c.Reason = "gateway"
	var notes []note
	for _, r := range l.rules {
		source, about := l.side(r.from, router).part(e)
		to := r.to.Kind == spec.PartyRouter && r.to.Name == router || r.to.Kind == spec.PartyGateway && r.to.Name == from
		switch {
		case !about || !to:
		case source == "" && r.traffic.String() == "" && len(r.traffic.to) == 0:
			c.Reason = r.name
			c.sum(notes, r.verdict == allow)
			return c
		default:
			notes = append(notes, note{Permit{cmp.Or(r.traffic.String(), ReachAll), r.name}, r.verdict == allow})
		}
	}
	c.sum(notes, true)
	return c
}

// fromRouter tells what a router itself may open: on its own networks everything,
// elsewhere what the outside may.
func (l *layout) fromRouter(router, to string) Cell {
	c := Cell{From: routerOwner(router), To: to, Where: router, Reach: ReachAll, Reason: "the router itself"}
	if to == spec.Outside || l.at(to, router) != nil || l.leavesBy(router, to) {
		return c
	}
	in := l.cell(spec.Outside, to)
	in.From, in.To, in.Reason = c.From, to, "as outside: "+in.Reason
	return in
}

// joins are the networks whose names a network's guests may ask for: those that it
// reaches because a policy or a peer says so.
func (l *layout) joins(network string) []string {
	var list []string
	consider := func(other string) {
		if other == network || l.outside(other) || slices.Contains(list, other) {
			return
		}
		if ns, in, out, meet := l.meet(network, other); meet && l.symbolic(network, other, ns, in, out).Reach != ReachNone {
			list = append(list, other)
		}
	}
	for _, e := range l.ends[network] {
		for _, peer := range e.n.Peers {
			consider(peer)
		}
	}
	for _, other := range l.peersOf[network] {
		consider(other)
	}
	for _, r := range l.rules {
		if r.verdict == allow && r.to.Network() != "" && l.names(r.from, network) {
			consider(r.to.Network())
		}
	}
	slices.Sort(list)
	return list
}
