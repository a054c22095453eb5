package plan

import "cmp"

// Phases of a pass. A rank is a phase plus the place of a kind in it.
const (
	building = 0
	removing = 200
	unruling = 400
)

// rank orders ops. Rules are in force before the links they judge, settings
// before the link is up; what is new comes before what is old goes; ports die
// before bridges, rules last, and namespaces after them. What only closes comes as
// early as it can: a port goes down before it is unplugged, and a borrowed
// forwarding switch is given back before new links could forward by it, and long
// before the rule that held the uplink is removed.
func rank(o Op) int {
	kind := o.Object.Key().Kind
	s, isSysctl := o.Object.(Sysctl)
	switch {
	case o.Verb == Del && kind == KindUp:
		return building + rankOf(KindElement) + 1
	case isSysctl && s.Release:
		return building + rankOf(KindElement) + 4 - within(s)
	case isSysctl:
		return building + rankOf(kind) + within(s)
	case isRule(o.Object) && (o.Verb != Del || clears(o.Object)):
		return building + rankOf(KindElement) // those of a namespace are one transaction
	case isRule(o.Object):
		return unruling
	case o.Verb != Del:
		return building + rankOf(kind) + behindNextHop(o.Object)
	case kind == KindNetns:
		return unruling + 1
	}
	return removing + rankOf(KindRedirect) - rankOf(kind)
}

// rankOf leaves room between two kinds.
func rankOf(k Kind) int { return 10 * int(k) }

// compareOps orders ops of a rank by namespace, and rules so that a chain is there
// before what leads to it and goes after that.
func compareOps(a, b Op) int {
	ka, kb := a.Object.Key(), b.Object.Key()
	order := cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(ka.NS, kb.NS))
	if order != 0 || !isRule(a.Object) {
		return cmp.Or(order, compareKeys(ka, kb))
	}
	if rank(a) == unruling {
		return cmp.Or(cmp.Compare(kb.Kind, ka.Kind), compareGone(ka, kb))
	}
	return cmp.Or(boolCompare(a.Verb != Del, b.Verb != Del), compareKeys(ka, kb))
}

// compareGone deletes chains in the opposite order: one may lead to another.
func compareGone(a, b Key) int {
	if a.Kind == KindChain {
		a, b = b, a
	}
	return cmp.Compare(a.ID, b.ID)
}

// clears reports whether an element has to go before others come: intervals must
// not overlap, so that a range can take the place of another only once that is gone.
func clears(o Object) bool {
	e, ok := o.(Element)
	return ok && intervals[e.Map]
}

// intervals are the maps whose keys are ranges.
var intervals = map[string]bool{
	"forward_range4": true, "forward_range6": true, "forward_range_at4": true, "forward_range_at6": true,
}

// behindNextHop puts the routes that need a next hop behind those that make it
// known.
func behindNextHop(o Object) int {
	if r, ok := o.(Route); ok && r.Via.IsValid() {
		return 1
	}
	return 0
}

// within orders settings. An interface must be told to go on learning routes from
// advertisements before anything forwards IPv6 (see keepLearning), and the whole
// host forwards last. They are given back the other way round.
func within(s Sysctl) int {
	switch {
	case s.Name == "accept_ra":
		return 0
	case s.Link == "all":
		return 2
	}
	return 1
}
