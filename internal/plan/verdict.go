package plan

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// verdict is what becomes of a connection that begins.
type verdict struct {
	permitted bool
	reason    string // policy web, peers, mode nat, …
}

// judge tells what the packet program of one namespace does with a connection
// between two of its ends; nil is the outside. It follows the program, chain by
// chain. Policies are asked where the program asks them.
func (l *layout) judge(in, out *end, dnat bool, policies func() (verdict, bool)) verdict {
	switch {
	case in != nil && in == out:
		return verdict{true, "same network"}
	case in != nil && in.from == judgeIsolated:
		return verdict{false, in.why()}
	case in == nil && out == nil:
		return verdict{true, "neither is a network"}
	case in == nil, out != nil && (in.from == judgeOpen || in.from == judgeRoute):
		return l.into(in, out, dnat, policies)
	case in.from == judgeOpen:
		return verdict{true, in.why()}
	}
	if v, decided := policies(); decided {
		return v
	}
	if l.peered(in, out) {
		return verdict{true, "peers"}
	}
	switch {
	case in.from == judgeClosed:
		return verdict{false, in.why()}
	case in.from == judgeNAT && out != nil:
		return verdict{dnat, "another network"}
	}
	return verdict{true, in.why()}
}

// into is what the chains do that judge what goes to a network.
func (l *layout) into(in, out *end, dnat bool, policies func() (verdict, bool)) verdict {
	switch out.to {
	case judgeIsolated:
		return verdict{false, out.why()}
	case judgeOpen:
		return verdict{true, out.why()}
	}
	if v, decided := policies(); decided {
		return v
	}
	if l.peered(in, out) {
		return verdict{true, "peers"}
	}
	return verdict{dnat || out.to == judgeRoute, out.why()}
}

// why tells what decides about an end where no policy does.
func (e *end) why() string {
	switch {
	case e.n.Policy != "" && e.n.Mode != spec.Isolated:
		return "policy " + string(e.n.Policy)
	case e.i != nil && len(e.i.Allow) > 0:
		return "egress allow list"
	case e.i != nil:
		return "egress " + string(e.egress())
	case e.network == "":
		return "link to host"
	}
	return "mode " + string(e.n.Mode)
}

// packet is the first of a connection, as it is forwarded: its destination is the
// one behind a forward.
type packet struct {
	ns       string
	in, out  *end // nil = the outside
	src, dst netip.Addr
	protocol spec.Protocol
	port     uint16
	dnat     bool
}

// permits judges one packet.
func (l *layout) permits(p packet) verdict {
	return l.judge(p.in, p.out, p.dnat, func() (verdict, bool) {
		for _, r := range l.rulesAbout(p.in) {
			if l.fits(r, p) {
				return verdict{r.verdict == allow, r.name}, true
			}
		}
		return verdict{}, false
	})
}

// rulesAbout are all policies, and behind them what an interface may leave to.
func (l *layout) rulesAbout(in *end) []rule { return slices.Concat(l.rules, in.allowed()) }

// fits reports whether a rule is about the packet.
func (l *layout) fits(r rule, p packet) bool {
	return l.side(r.from, p.ns).holds(p.in, p.src) && l.side(r.to, p.ns).holds(p.out, p.dst) && r.traffic.holds(p)
}

// holds reports whether a packet comes from the party, or goes to it.
func (s side) holds(e *end, a netip.Addr) bool {
	switch {
	case s.never, s.outside && e != nil, s.end != nil && s.end != e:
		return false
	}
	return !s.limited || contains(s.list, a)
}

func (t traffic) holds(p packet) bool {
	ported := p.protocol == spec.TCP || p.protocol == spec.UDP || p.protocol == spec.SCTP
	switch {
	case t.protocol != "" && t.protocol != p.protocol,
		t.protocol == "" && len(t.ports) > 0 && p.protocol != spec.TCP && p.protocol != spec.UDP,
		len(t.to) > 0 && !contains(t.to, p.dst):
		return false
	}
	return len(t.ports) == 0 || ported && slices.ContainsFunc(t.ports, func(r spec.PortRange) bool { return r.From <= p.port && p.port <= r.To })
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
