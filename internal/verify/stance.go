package verify

import (
	"slices"

	"kvmnet/internal/spec"
)

// This file says what becomes of connections that no policy decides.

// stance is how a network treats them at one of its gates: what people wrote, or
// what follows from its mode, and behind a router from how it leaves that.
func stance(n *spec.Network, g gate) spec.Stance {
	switch {
	case g.via != nil && egress(g) == spec.EgressNone, g.via == nil && n.Mode == spec.Isolated:
		return spec.StanceIsolated
	case n.Policy != "":
		return n.Policy
	case egress(g) == spec.EgressRoute, g.via == nil && n.Mode != spec.NAT:
		return spec.StanceOpen
	}
	return spec.StanceOutbound
}

// egress is how a network leaves a router; "" of the host's gate.
func egress(g gate) spec.Egress {
	switch {
	case g.via == nil:
		return ""
	case g.via.Egress == "":
		return spec.EgressNone
	}
	return g.via.Egress
}

// goesOut reports whether guests reach other networks as they reach the outside:
// those who leave with their own address do.
func goesOut(n *spec.Network, g gate) bool {
	if stance(n, g) == spec.StanceIsolated {
		return false
	}
	if g.via != nil {
		return egress(g) == spec.EgressRoute && len(g.via.Allow) == 0
	}
	return n.Mode == spec.Route || n.Mode == spec.Open
}

// toNetwork is the rule between two networks that meet at the host or at a router:
// routed guests reach networks that let everybody in, and where a network is open
// the host's firewall decides.
func toNetwork(from *spec.Network, out gate, to *spec.Network, in gate) rule {
	switch {
	case !goesOut(from, out) || stance(to, in) != spec.StanceOpen:
		return never
	case from.Mode == spec.Open || to.Mode == spec.Open:
		return free
	}
	return asSelf
}

// toGateway is the rule for the gateway's address on another network, which is
// part of that network.
func toGateway(from spec.Mode) rule {
	if from == spec.Open {
		return free
	}
	return never
}

// peers reports whether one of two networks names the other as its peer.
func (r *run) peers(a, b string) bool {
	return slices.Contains(r.nets[a].Peers, b) || slices.Contains(r.nets[b].Peers, a)
}

// between is the rule for a connection between guests of two networks that meet at
// the host or at a router. Policies decide, then whether they are peers.
func (r *run) between(s *site, l *leg, o *site, to *leg, k knock) rule {
	usual := toNetwork(s.net, l.gate, o.net, to.gate)
	v, _ := r.rules.decide(ask{from: party{network: s.name, addr: l.a}, to: party{network: o.name, addr: to.a}, knock: k})
	switch {
	case s.net.Mode == spec.Open && o.net.Mode == spec.Open: // no rule of ours is about either
		return usual
	case v == refused:
		return never
	case v == allowed, r.peers(s.name, o.name):
		return asSelf
	}
	return usual
}
