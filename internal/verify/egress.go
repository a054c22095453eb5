package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// This file says how guests leave to the outside, and what is tried to prove it.

// way is the outside that a leg's guests reach.
func (l *leg) way(s *site) *outside {
	switch {
	case l.home == nil:
		return &outside{why: l.lost}
	case l.via != nil:
		return l.home.beyond(l.via.Uplink, l.v6())
	}
	return l.home.beyond(s.net.Uplink, l.v6())
}

// leaving is the claim about a packet of a leg's guest to somewhere outside.
func (r *run) leaving(s *site, l *leg, out *outside, k knock, dst netip.Addr) claim {
	c := claim{rule: never, self: l.a, host: out.self, verb: leave}
	if !l.gateway.IsValid() {
		return c // an address of its own choice leaves nowhere
	}
	a := ask{from: party{network: s.name, addr: l.a}, to: party{addr: dst}, knock: k}
	v, _ := r.rules.decide(a)
	switch {
	case l.via == nil && s.net.Mode == spec.Open:
		c.rule = free
	case v == refused, v == undecided && !l.lets(s, a):
	case l.via == nil:
		return c.byMode(s.net, l.v6()).pinned(s.net, out)
	default:
		return c.byEgress(l.via, l.v6())
	}
	return c
}

// lets reports whether guests leave to the outside where no policy decides.
func (l *leg) lets(s *site, a ask) bool {
	if stance(s.net, l.gate) == spec.StanceIsolated {
		return false
	}
	return l.via == nil || len(l.via.Allow) == 0 || slices.ContainsFunc(l.via.Allow, a.is)
}

// byMode has a packet leave the host as the network's mode says.
func (c claim) byMode(n *spec.Network, v6 bool) claim {
	if c.rule = toOutside(n, v6); n.Mode == spec.Isolated { // a policy lets it
		c.rule = asSelf
	}
	return c
}

// pinned narrows a claim about a network that may leave by one uplink only. Where
// the host's own route is another one, nothing may leave.
func (c claim) pinned(n *spec.Network, out *outside) claim {
	switch {
	case n.Uplink == "" || out.link == "" || c.rule == never:
	case n.Uplink != out.link:
		c.rule = never
	default:
		c.link = n.Uplink
	}
	return c
}

// byEgress has a packet leave a router as the interface says.
func (c claim) byEgress(via *spec.Interface, v6 bool) claim {
	c.rule, c.link = asSelf, via.Uplink
	switch via.Egress {
	case spec.EgressMasquerade:
		c.rule = asHost
	case spec.EgressSNAT:
		c.rule, c.chosen, c.ports = asChosen, via.SNAT.Address, via.SNAT.Ports
		if v6 {
			c.chosen = via.SNAT.IPv6
		}
		if c.chosen.IsZero() {
			c.rule = asHost
		}
	}
	return c
}

// errand is something to try to the outside.
type errand struct {
	knock
	dst netip.Addr
}

// errands lists what is tried to the outside: an echo and a datagram always, then
// what policies name and what the router lets through.
func (r *run) errands(s *site, l *leg, out *outside) (list []errand) {
	for _, k := range r.rules.knocks(party{network: s.name, addr: l.a}, party{addr: out.addr}, knock{testhost.ICMP, 0}, knock{testhost.UDP, 0}) {
		list = append(list, errand{k, out.addr})
	}
	if l.via == nil {
		return list
	}
	for _, t := range l.via.Allow {
		dst := destination(t, out.addr)
		for _, k := range trafficKnocks([]spec.Traffic{t}) {
			if e := (errand{k, dst}); dst.IsValid() && !slices.Contains(list, e) && len(list) < 2*most {
				list = append(list, e)
			}
		}
	}
	return list
}

// destination is where a kind of traffic goes: the usual address where it may, or
// else the first host of the family that it names; zero for none.
func destination(t spec.Traffic, usual netip.Addr) netip.Addr {
	to, _ := t.To.List()
	if len(to) == 0 || contains(to, usual) {
		return usual
	}
	for _, p := range to {
		switch {
		case p.Addr().Is4() != usual.Is4():
		case p.IsSingleIP():
			return p.Addr()
		default:
			return p.Masked().Addr().Next()
		}
	}
	return netip.Addr{}
}

// killSwitch is a promise that only a broken uplink would prove.
func killSwitch(s *site, l *leg) []promise {
	if l.via == nil || !l.via.KillSwitch || s.legs[slices.IndexFunc(s.legs, func(o *leg) bool { return o.router == l.router })] != l {
		return nil
	}
	uplink := l.via.Uplink
	if uplink == "" {
		uplink = "the uplink"
	}
	return []promise{unproved(fmt.Sprintf("guest → outside while %s of %s is down", uplink, "router "+l.router), leave.not, "that would take the uplink down")}
}
