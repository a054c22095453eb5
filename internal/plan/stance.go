package plan

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// The words for the chains that judge a network, from_nat and the like.
const (
	judgeIsolated = "isolated" // nothing, established or not
	judgeClosed   = "closed"   // what policies allow
	judgeNAT      = "nat"      // from: to the outside; to: nothing but answers
	judgeRoute    = "route"    // everything
	judgeOpen     = "open"     // not ours to judge
)

// chains names the judges of what comes from an end and of what goes to it where
// no policy decides.
func (l *layout) chains(e *end) (from, to string) {
	if e.ns != "" {
		return e.egressChains()
	}
	switch e.n.Mode {
	case spec.Open:
		return judgeOpen, judgeOpen
	case spec.Isolated:
		if l.opened[e.network] && len(e.subnets) > 0 {
			return judgeClosed, judgeClosed
		}
		return judgeIsolated, judgeIsolated
	case spec.NAT:
		return byStance(e.n.Policy, judgeNAT, judgeNAT)
	}
	return byStance(e.n.Policy, judgeRoute, judgeRoute)
}

// egressChains are those of a router's interface. The stance of its network goes
// before what follows from how it leaves, unless it does not leave at all.
func (e *end) egressChains() (from, to string) {
	switch e.egress() {
	case spec.EgressNone:
		return judgeClosed, judgeClosed
	case spec.EgressRoute:
		from, to = byStance(e.n.Policy, judgeRoute, judgeRoute)
	default:
		from, to = byStance(e.n.Policy, judgeNAT, judgeNAT)
	}
	if len(e.i.Allow) > 0 {
		from = judgeClosed
	}
	return from, to
}

func byStance(s spec.Stance, from, to string) (string, string) {
	switch s {
	case spec.StanceIsolated:
		return judgeClosed, judgeClosed
	case spec.StanceOutbound:
		return from, judgeNAT
	case spec.StanceOpen:
		return from, judgeRoute
	}
	return from, to
}

// open finds the isolated networks that cannot be shut off as a whole, because a
// policy allows something, or a peer or forward is there.
func (l *layout) open() {
	for name, n := range sorted(l.live.Networks) {
		for _, peer := range n.Peers {
			l.opened[name], l.opened[peer] = true, true
		}
	}
	for _, f := range sorted(l.live.Forwards) {
		l.opened[f.Network] = true
	}
	for _, r := range l.rules {
		if r.verdict != allow {
			continue
		}
		for name := range l.ends {
			if l.names(r.from, name) || l.names(r.to, name) {
				l.opened[name] = true
			}
		}
	}
}

// names reports whether a party includes guests of a network.
func (l *layout) names(p spec.Party, network string) bool {
	switch p.Kind {
	case spec.PartyAny:
		return true
	case spec.PartyNetwork, spec.PartyGuests:
		return p.Name == network
	case spec.PartySet, spec.PartyPrefix:
		for _, e := range l.ends[network] {
			if slices.ContainsFunc(e.subnets, func(s netip.Prefix) bool { return overlapsAny(l.addresses(p), s) }) {
				return true
			}
		}
	}
	return false
}

func overlapsAny(list []netip.Prefix, p netip.Prefix) bool {
	return slices.ContainsFunc(list, func(q netip.Prefix) bool { return q.Overlaps(p) })
}
