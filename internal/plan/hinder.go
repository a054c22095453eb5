package plan

// Hinders reports whether next has to be left for a later pass because o, an op
// before it, failed: going on would open what the failed op was to guard. What
// is left counts as failed, too, and may hinder more.
//
//   - An owner whose rules are not in force gets no link, setting, address or route.
//   - A link does not come up without its bridge, its settings and its isolation.
//   - A port that is not down is not unplugged, and a bridge whose ports could not
//     be taken out is not deleted.
//   - No rule is removed while something it judges may still be there.
//   - No bridge forwards IPv6 while that would cost the host its own route.
//   - What a link's packets make a detour over does not go before the detour ends.
//   - A router has nothing without its namespace, and no end of a pair without the
//     other.
func (o Op) Hinders(next Op) bool {
	del := o.Verb == Del
	switch obj := o.Object.(type) {
	case Netns:
		return !del && next.Verb != Del && obj.Owner() == next.Object.Owner()
	case Program, Chain, Element:
		return !del && o.guards(next)
	case Up:
		l, ok := next.Object.(Link)
		return del && (ok && placeOf(l) == placeOf(obj) && next.Verb == Set || o.empties(next))
	case Sysctl:
		return obj.Release && (removesRule(next) || obj.Link == "all" && makesLink(next)) || raises(next, placeOf(obj)) || obj.learns() && forwards6(next)
	case Isolation:
		return !del && raises(next, placeOf(obj))
	case Redirect:
		l, ok := next.Object.(Link)
		return del && ok && next.Verb == Del && placeOf(l) == place{obj.NS, obj.To}
	case Link:
		return (del || o.plugs()) && o.judgedBy(next) || !del && (raises(next, placeOf(obj)) || obj.otherEnd(next)) || o.empties(next)
	}
	return false
}

// plugs reports whether a link is to leave a bridge, or to enter one, or to be
// judged by the rows of another name.
func (o Op) plugs() bool {
	before, ok := o.Old.(Link)
	l, _ := o.Object.(Link)
	return ok && o.Verb == Set && (before.Master != l.Master || before.Name != l.Name)
}

// judgedBy reports whether next removes a rule from the namespace of the link, or
// from that of its other end.
func (o Op) judgedBy(next Op) bool {
	ns := next.Object.Key().NS
	return removesRule(next) && (o.Object.Key().NS == ns || o.Object.Owner() == routerOwner(ns))
}

// otherEnd reports whether next makes or finishes the other end of the pair.
func (l Link) otherEnd(next Op) bool {
	other, ok := next.Object.(Link)
	return ok && next.Verb != Del && l.crosses() && placeOf(other) == place{l.PeerNS, l.Peer}
}

// GivesBack reports whether the op gives a borrowed setting back.
func (o Op) GivesBack() bool {
	_, _, releases := lent(o.Object)
	return releases
}

// guards reports whether next belongs to what the rule would judge: everything,
// its owner's, or a new link that is held.
func (o Op) guards(next Op) bool {
	if isRule(next.Object) || next.Verb == Del || next.GivesBack() {
		return false
	}
	here := next.Object.Key().NS == o.Object.Key().NS
	l, _ := next.Object.(Link)
	switch obj := o.Object.(type) {
	case Program:
		return here || obj.NS != "" && obj.Owner() == next.Object.Owner()
	case Element:
		return obj.Owner() == next.Object.Owner() || here && next.Verb == Add && obj.ID == l.Name
	}
	return o.Object.Owner() == next.Object.Owner()
}

// empties reports whether next deletes the bridge that the port was to leave.
func (o Op) empties(next Op) bool {
	port, ok := o.Old.(Link)
	if !ok {
		port, _ = o.Object.(Link)
	}
	l, ok := next.Object.(Link)
	return ok && o.Verb != Add && next.Verb == Del && l.NS == port.NS && l.Name == port.Master
}

// makesLink counts while the whole host forwards: a new link does, too, and has
// no rule that holds it.
func makesLink(o Op) bool {
	_, ok := o.Object.(Link)
	return ok && o.Verb == Add
}

func raises(o Op, link place) bool {
	u, ok := o.Object.(Up)
	return ok && o.Verb != Del && placeOf(u) == link
}

func (s Sysctl) learns() bool { return s.Foreign && !s.Release && s.Name == "accept_ra" }

func forwards6(o Op) bool {
	s, ok := o.Object.(Sysctl)
	return ok && s.Family == "ipv6" && s.Name == "forwarding" && s.Value == "1"
}

func isRule(o Object) bool {
	kind := o.Key().Kind
	return kind >= KindProgram && kind <= KindElement
}

func removesRule(o Op) bool { return o.Verb == Del && isRule(o.Object) }
