package lab

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// What came of a question, in the words of the table. What the other side saw as
// the source matters wherever packets leave a network.
const (
	yes       = "yes"
	no        = "no"
	kept      = "yes, kept"      // under the guest's own address
	rewritten = "yes, rewritten" // under the machine's address
	as        = "yes, as "       // under that address, or one of that range
	arrived   = "arrives, unanswered"
)

// untold is what nobody promises anything about.
const untold = ""

// traffic is a kind of connection that a question opens.
type traffic struct {
	proto testhost.Proto
	port  uint16
}

// outcome is how the other side sees what leaves under a source; the zero range
// is the sender's own address.
func outcome(source spec.AddrRange) string {
	switch {
	case source.IsZero():
		return kept
	case source.From == machineAddr.addr(familyOf(source.From)) && source.From == source.To:
		return rewritten
	case source.From == source.To:
		return as + source.From.String()
	}
	return as + source.String()
}

// atGateway is what guests are promised at their own gateway address.
func atGateway(n *network) string {
	if n.lan() || n.silent() {
		return untold
	}
	return yes
}

// toOutside is what a guest is promised of the outside. For mode open it is what a
// host without a firewall decides.
func (l *layout) toOutside(n *network, s seat, f family, t traffic) string {
	way, out := l.climb(n, f)
	if !out {
		return no
	}
	var source spec.AddrRange
	from, to := guestEnd(n, s, f), outsideEnd(farAddr.addr(f))
	for i, n := range way {
		if !l.leaves(n, i == 0, from, to, t) {
			return no
		}
		source = l.rename(source, n, i == 0, from, f)
	}
	return outcome(source)
}

// rename is the source of a packet after it left a segment.
func (l *layout) rename(source spec.AddrRange, n *network, own bool, from end, f family) spec.AddrRange {
	if a := l.floats(n, from.addr); own && a.IsValid() {
		return spec.AddrRange{From: a, To: a}
	}
	if r := l.source(n, f); !r.IsZero() {
		return r
	}
	return source
}

// leaves reports whether a segment lets a connection out to where its gateway
// leads. Policies are about the guests' own network.
func (l *layout) leaves(n *network, own bool, from, to end, t traffic) bool {
	if own && n.judged() {
		switch l.decide(from, to, t) {
		case allowed:
			return true
		case refused:
			return false
		}
	}
	if n.stance() == spec.StanceIsolated {
		return false
	}
	return n.face == nil || len(n.face.Allow) == 0 || anyFits(n.face.Allow, to, t)
}

// fromOutside is what a host outside is promised of guests. It has routes to the
// networks that need them.
func (l *layout) fromOutside(host netip.Addr, n *network, s seat, t traffic) string {
	f := familyOf(host)
	way, out := l.climb(n, f)
	switch {
	case !out:
		return no
	case l.shared(n, f):
		return untold
	}
	if n.judged() {
		switch l.decide(outsideEnd(host), guestEnd(n, s, f), t) {
		case allowed:
			return enter(way[1:], spec.AddrRange{})
		case refused:
			return no
		}
	}
	return enter(way, spec.AddrRange{})
}

// enter brings a packet down the way to a network.
func enter(way []*network, source spec.AddrRange) string {
	if slices.ContainsFunc(way, func(n *network) bool { return n.stance() != spec.StanceOpen }) {
		return no
	}
	return outcome(source)
}

// routed reports whether the outside must have a route to a network for its
// guests to be answered, or reached.
func (l *layout) routed(n *network, f family) bool {
	way, out := l.climb(n, f)
	if !out || n.lan() || n.silent() || l.shared(n, f) {
		return false
	}
	hidden := func(n *network) bool { return n.translates(f) || n.stance() == spec.StanceIsolated }
	return !slices.ContainsFunc(way, hidden) || enter(way, spec.AddrRange{}) != no || l.invites(n, f)
}

// invites reports whether a policy lets somebody outside in.
func (l *layout) invites(n *network, f family) bool {
	for _, p := range l.spec.Policies {
		for _, kind := range p.Allow {
			for _, t := range samples(kind) {
				if n.judged() && l.decide(outsideEnd(outsideAddr.addr(f)), guestEnd(n, n.seats[0], f), t) == allowed {
					return true
				}
			}
		}
	}
	return false
}

// between is what guests of one network are promised of the guests of another.
// Policies decide where one gateway has both networks.
func (l *layout) between(a, b *network, f family, t traffic) string {
	from, to := guestEnd(a, a.seats[0], f), guestEnd(b, b.seats[0], f)
	up, out := l.climb(a, f)
	down, in := l.climb(b, f)
	if overlap(a, b, f) || l.shared(b, f) || a.box() != b.box() && l.meddled(from, to, t) {
		return untold
	}
	var source spec.AddrRange
	for i, n := range up {
		if j := slices.Index(down, n); j >= 0 { // it meets the other's way on a segment
			return enter(down[:j], source)
		}
		if j := slices.IndexFunc(down, func(o *network) bool { return o.box() == n.box() && !n.lan() }); j >= 0 {
			if !l.turns(n, down[j], i+j == 0, from, to, t) {
				return no
			}
			return enter(down[:j], source)
		}
		if !out || !l.leaves(n, i == 0, from, to, t) {
			return no
		}
		source = l.rename(source, n, i == 0, from, f)
	}
	switch {
	case b.lan():
		return outcome(source)
	case !in || !l.routed(b, f):
		return no
	case outcome(source) == rewritten && l.outward(b, f) != nil && l.outward(b, f).NIC != "":
		return untold // a machine does not meet who shares its NIC
	}
	return enter(down, source)
}

// meddled reports whether a policy is about two networks, each of which is outside
// to the gateway of the other.
func (l *layout) meddled(from, to end, t traffic) bool {
	away := func(e end) end { return end{addr: e.addr, outside: true} }
	return l.decide(from, to, t) != undecided || l.decide(from, away(to), t) != undecided || l.decide(away(from), to, t) != undecided
}

// turns reports whether the gateway of two networks lets a connection from one to
// the other.
func (l *layout) turns(a, b *network, own bool, from, to end, t traffic) bool {
	if own {
		if d := l.decide(from, to, t); d != undecided {
			return d == allowed
		}
	}
	switch {
	case slices.Contains(a.spec.Peers, b.name) || slices.Contains(b.spec.Peers, a.name):
		return true
	case a.stance() == spec.StanceIsolated, a.hides(), a.face != nil && len(a.face.Allow) > 0:
		return false
	}
	return b.stance() == spec.StanceOpen
}
