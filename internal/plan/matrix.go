package plan

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Cell tells what one party may open to another.
type Cell struct {
	From, To string // networks, "outside", "router/r1"
	Where    string // namespace that decides, "" = the host's
	Reach    string // "all", "none", or "some"
	Only     []Permit
	But      []Permit
	Reason   string // what decides about what is neither in Only nor in But
}

// Permit is a kind of connection, and the policy that decides about it.
type Permit struct {
	Traffic string // tcp 5432, icmp, tcp 22 to 10.0.0.0/8
	By      string // policy/web
}

// What a cell says in one word.
const (
	ReachAll  = "all"
	ReachNone = "none"
	ReachSome = "some"
)

// String prints the cell in a few words: all, none, tcp 5432, all but tcp 22.
func (c Cell) String() string {
	text := func(list []Permit) string {
		var words []string
		for _, p := range list {
			words = append(words, p.Traffic)
		}
		return strings.Join(words, ", ")
	}
	switch {
	case c.Reach != ReachSome:
		return c.Reach
	case len(c.Only) == 0:
		return "all but " + text(c.But)
	case len(c.But) > 0:
		return text(c.Only) + " but " + text(c.But)
	}
	return text(c.Only)
}

// Matrix tells who may open connections to whom: a cell for every ordered pair of
// live networks, the outside, and routers. It is what the packet program decides;
// whether the parties have a route to each other, or the host a firewall of its
// own, is not in it.
func Matrix(live *spec.Spec, facts Facts) []Cell {
	l := newLayout(live, facts)
	var parties []string
	for name := range sorted(live.Networks) {
		parties = append(parties, name)
	}
	parties = append(parties, spec.Outside)
	for name := range sorted(live.Routers) {
		parties = append(parties, routerOwner(name))
	}
	var cells []Cell
	for _, from := range parties {
		for _, to := range parties {
			if from != to {
				cells = append(cells, l.cell(from, to))
			}
		}
	}
	return cells
}

// cell works out one pair.
func (l *layout) cell(from, to string) Cell {
	router, isRouter := strings.CutPrefix(to, "router/")
	sender, fromRouter := strings.CutPrefix(from, "router/")
	switch {
	case isRouter && fromRouter:
		return Cell{From: from, To: to, Reach: ReachAll, Reason: "no network of ours"}
	case isRouter:
		return l.toRouter(from, router)
	case fromRouter:
		return l.fromRouter(sender, to)
	}
	for _, party := range []string{from, to} {
		if !l.outside(party) && len(l.routed(party)) == 0 {
			return Cell{From: from, To: to, Reach: ReachNone, Reason: party + " has no gateway"}
		}
	}
	if l.outside(from) && l.outside(to) {
		return Cell{From: from, To: to, Reach: ReachAll, Reason: "mode bridge"}
	}
	if ns, in, out, meet := l.meet(from, to); meet {
		return l.symbolic(from, to, ns, in, out)
	}
	return l.far(from, to)
}

// outside reports whether a party is no network of ours: guests of mode bridge are
// hosts of a LAN.
func (l *layout) outside(party string) bool {
	n := l.live.Networks[party]
	return n == nil || n.Mode == spec.Bridge
}

// meet finds the namespace through which one party reaches another directly.
func (l *layout) meet(from, to string) (ns string, in, out *end, ok bool) {
	find := func(party string) []*end {
		if l.outside(party) {
			return []*end{nil}
		}
		return l.routed(party)
	}
	for _, a := range find(from) {
		for _, b := range find(to) {
			switch {
			case a == nil && b == nil:
			case a == nil:
				return b.ns, a, b, true
			case b == nil:
				return a.ns, a, b, true
			case a.ns == b.ns:
				return a.ns, a, b, true
			}
		}
	}
	return "", nil, nil, false
}

// routed are the ends at which a network's guests have a gateway.
func (l *layout) routed(network string) []*end {
	return slices.DeleteFunc(slices.Clone(l.ends[network]), func(e *end) bool { return len(e.subnets) == 0 })
}

// far is for networks that do not meet: to each other they are the outside. Where
// one router's uplink is on the other network, it alone decides.
func (l *layout) far(from, to string) Cell {
	out, in := l.cell(from, spec.Outside), l.cell(spec.Outside, to)
	switch {
	case l.uplinkOn(to, from):
		out = Cell{Reach: ReachAll, Reason: in.Reason}
	case l.uplinkOn(from, to):
		in = Cell{Reach: ReachAll, Reason: out.Reason}
	}
	worse := in
	if out.Reach == ReachNone || in.Reach == ReachAll {
		worse = out
	}
	if out.Reach == ReachSome && in.Reach == ReachSome {
		worse = out.and(in)
	}
	worse.From, worse.To, worse.Reason = from, to, "as outside: "+worse.Reason
	return worse
}

// and is what passes both: of what one permits only that which the other does, too.
func (c Cell) and(o Cell) Cell {
	both := c
	both.But = slices.Concat(c.But, o.But)
	switch {
	case len(c.Only) == 0:
		both.Only, both.Where, both.Reason = o.Only, o.Where, o.Reason
	case len(o.Only) > 0:
		both.Only = slices.DeleteFunc(slices.Clone(c.Only), func(p Permit) bool {
			return !slices.ContainsFunc(o.Only, func(q Permit) bool { return q.Traffic == p.Traffic || q.Traffic == ReachAll })
		})
	}
	if len(both.Only) == 0 && len(c.Only)+len(o.Only) > 0 {
		both.Reach, both.But = ReachNone, nil
	}
	return both
}

// uplinkOn reports whether the gateway of a network is a router with an uplink on
// another one.
func (l *layout) uplinkOn(network, other string) bool {
	return slices.ContainsFunc(l.routed(network), func(e *end) bool { return e.ns != "" && l.leavesBy(e.ns, other) })
}

// leavesBy reports whether a router has an uplink on a network.
func (l *layout) leavesBy(router, network string) bool {
	if r := l.live.Routers[router]; r != nil {
		for _, u := range r.Ways() {
			if u.Network == network {
				return true
			}
		}
	}
	return false
}

// symbolic judges all connections between two ends at once.
func (l *layout) symbolic(from, to, ns string, in, out *end) Cell {
	c := Cell{From: from, To: to, Where: ns}
	var notes []note
	v := l.judge(in, out, false, func() (verdict, bool) {
		for _, r := range l.rulesAbout(in) {
			whole, text, about := l.about(r, ns, in, out)
			switch {
			case !about:
			case whole:
				return verdict{r.verdict == allow, r.name}, true
			default:
				notes = append(notes, note{Permit{text, r.name}, r.verdict == allow})
			}
		}
		return verdict{}, false
	})
	c.Reason = v.reason
	c.sum(notes, v.permitted)
	return c
}

// note is a part of all connections that a policy decides about.
type note struct {
	Permit
	permitted bool
}

// sum puts together what parts are decided and what becomes of the rest.
func (c *Cell) sum(notes []note, rest bool) {
	for i, n := range notes {
		later := rest || slices.ContainsFunc(notes[i+1:], func(o note) bool { return o.permitted })
		switch {
		case n.permitted && !rest:
			c.Only = append(c.Only, n.Permit)
		case !n.permitted && later:
			c.But = append(c.But, n.Permit)
		}
	}
	switch {
	case len(c.Only) > 0 || rest && len(c.But) > 0:
		c.Reach = ReachSome
	case rest:
		c.Reach = ReachAll
	default:
		c.Reach, c.But = ReachNone, nil
	}
}

// about tells whether a rule is about connections between two ends, about all of
// them, and if not, about which.
func (l *layout) about(r rule, ns string, in, out *end) (whole bool, text string, about bool) {
	if in == nil && r.from.Network() != "" || out == nil && r.to.Network() != "" {
		return false, "", false // a network of ours that is elsewhere has cells of its own
	}
	source, fits1 := l.side(r.from, ns).part(in)
	target, fits2 := l.side(r.to, ns).part(out)
	to := r.traffic.to
	if len(to) > 0 && out != nil {
		reached := slices.ContainsFunc(out.prefixes(), func(p netip.Prefix) bool { return overlapsAny(to, p) })
		fits2 = fits2 && reached
	}
	if !fits1 || !fits2 {
		return false, "", false
	}
	text = cmp.Or(r.traffic.String(), ReachAll)
	for _, part := range []struct{ word, text string }{{" from ", source}, {" to ", target}, {" to ", textOf(to)}} {
		if part.text != "" {
			text += part.word + part.text
		}
	}
	return text == ReachAll, text, true
}

// part tells whether a party has to do with an end, and which part of it when it
// is not the whole.
func (s side) part(e *end) (part string, about bool) {
	switch {
	case s.never, s.outside && e != nil, s.end != nil && s.end != e:
		return "", false
	case !s.limited:
		return "", true
	case e == nil:
		return textOf(s.list), len(s.list) > 0
	}
	whole := true
	for _, p := range e.prefixes() {
		whole = whole && slices.ContainsFunc(s.list, func(q netip.Prefix) bool { return q.Overlaps(p) && q.Bits() <= p.Bits() })
		about = about || overlapsAny(s.list, p)
	}
	if whole {
		return "", about
	}
	return textOf(s.list), about
}

func textOf(list []netip.Prefix) string {
	var texts []string
	for _, p := range list {
		texts = append(texts, prefixText(p))
	}
	return strings.Join(texts, "+")
}

// String prints the kind of a connection but for its destinations; "" is any.
func (t traffic) String() string {
	text := string(t.protocol)
	if len(t.ports) == 0 {
		return text
	}
	var ports []string
	for _, r := range t.ports {
		ports = append(ports, r.String())
	}
	if text == "" {
		text = "tcp+udp"
	}
	return fmt.Sprintf("%s %s", text, strings.Join(ports, "+"))
}
