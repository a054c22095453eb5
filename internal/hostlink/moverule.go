package hostlink

import (
	"cmp"
	"slices"
)

// placed is a rule of one of two devices.
type placed struct {
	dev string
	Rule
}

// rulesInOrder gives those rules again that are to come behind others of the same
// priority: the kernel puts what is added behind all. It is for what is left when the
// rules of both devices are on the device they were on before.
func rulesInOrder(now, before State) (ops []Op) {
	want, have := before.placed(), now.placed()
	for _, p := range before.priorities() {
		order, is := ofPriority(want, p), ofPriority(have, p)
		is = slices.DeleteFunc(is, func(r placed) bool { return !slices.ContainsFunc(order, r.is) })
		for _, r := range ofPriority(before.eachPlaced(), p) { // those that are added
			if !slices.ContainsFunc(is, r.is) {
				is = append(is, r)
			}
		}
		n := 0
		for n < len(order) && order[n].is(is[n]) {
			n++
		}
		for _, r := range order[n:] {
			ops = append(ops, deleteRule(r.dev, r.Rule), addRule(r.dev, r.Rule))
		}
	}
	return ops
}

func (p placed) is(other placed) bool { return p.dev == other.dev && p.same(other.Rule) }

// placed are the rules of an interface and its bridge in the kernel's order.
func (s State) placed() []placed {
	list := s.eachPlaced()
	slices.SortStableFunc(list, func(a, b placed) int { return cmp.Compare(a.Rank, b.Rank) })
	return list
}

// eachPlaced are those of the interface, and then those of its bridge.
func (s State) eachPlaced() (list []placed) {
	for _, of := range []*State{&s, s.Bridge} {
		if of == nil {
			continue
		}
		for _, r := range of.Rules {
			list = append(list, placed{of.Name, r})
		}
	}
	return list
}

// priorities are those of which both devices have rules.
func (s State) priorities() (list []string) {
	if s.Bridge == nil {
		return nil
	}
	for _, r := range s.Rules {
		p := r.priority()
		if !slices.Contains(list, p) && slices.ContainsFunc(s.Bridge.Rules, func(o Rule) bool { return o.priority() == p }) {
			list = append(list, p)
		}
	}
	return list
}

func ofPriority(list []placed, p string) []placed {
	return slices.DeleteFunc(slices.Clone(list), func(r placed) bool { return r.priority() != p })
}
