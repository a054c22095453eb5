package plan

// Phases of a pass. A rank is a phase plus the place of a kind in it.
const (
	building = 0
	removing = 100
	unruling = 200
)

// rank orders ops. Rules are in force before the links they judge, settings
// before the link is up; what is new comes before what is old goes; ports die
// before bridges, and rules last. What only closes comes as early as it can: a
// port goes down before it is unplugged, and a borrowed forwarding switch is
// given back before new links could forward by it, and long before the rule that
// held the uplink is removed.
func rank(o Op) int {
	kind := o.Object.Key().Kind
	s, isSysctl := o.Object.(Sysctl)
	switch {
	case o.Verb == Del && kind == KindUp:
		return building + place(KindElement) + 1
	case isSysctl && s.Release:
		return building + place(KindElement) + 4 - within(s)
	case isSysctl:
		return building + place(kind) + within(s)
	case o.Verb != Del:
		return building + place(kind)
	case kind <= KindElement:
		return unruling - place(kind)
	}
	return removing + place(KindRoute) - place(kind)
}

// place leaves room between two kinds.
func place(k Kind) int { return 10 * int(k) }

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
