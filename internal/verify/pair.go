package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// This file holds the promises between networks.

// network proves what becomes of packets to a guest of another network, and to
// the gateway's address there.
func (r *run) network(s *site, l *leg, o *site) (list []promise) {
	if o.broken != "" && s.first(l) {
		return []promise{unproved("guest → guest of "+o.name+" (icmp)", arrive.not, o.broken)}
	}
	to := o.facing(l)
	switch {
	case to == nil || !to.gateway.IsValid() || !s.first(l):
		return nil
	case !to.a.IsValid():
		list = []promise{unproved("guest → guest of "+o.name, arrive.not, "no address is free in "+to.prefix.String())}
	case s.owns(to.a):
		return []promise{unproved("guest → guest of "+o.name+" (icmp)", arrive.not, "both have "+to.prefix.String())}
	case to.router != l.router:
		return r.elsewhere(s, l, o, to)
	default:
		for _, k := range r.rules.knocks(party{network: s.name, addr: l.a}, party{network: o.name, addr: to.a}, knock{testhost.ICMP, 0}) {
			list = append(list, r.arrives(s, l, o, to, k))
		}
	}
	return append(list, r.gatewayOf(s, l, o, to)...)
}

// arrives tries one kind of connection to a guest of a network that meets this
// one at the host or at a router.
func (r *run) arrives(s *site, l *leg, o *site, to *leg, k knock) promise {
	return r.lands(s, l, o, to, k, claim{rule: r.between(s, l, o, to, k), self: l.a, verb: arrive}, "")
}

func (r *run) lands(s *site, l *leg, o *site, to *leg, k knock, c claim, why string) promise {
	text := fmt.Sprintf("guest → guest %s of %s (%s)", to.a, o.name, k)
	if why != "" {
		return unproved(text, c.expected(), why)
	}
	t := trial{from: s.a, to: o.a, home: l.home, hop: l.hop, knock: k, src: l.a, dst: to.a, wait: c.patience()}
	return promise{text, c.expected(), func(ctx context.Context) (string, bool) {
		got, err := r.try(ctx, t, func(got sight) bool { return seen(got.arrived[o.a]) })
		if err != nil {
			return err.Error(), false
		}
		return c.judge(got.arrived[o.a], words(got, to.a))
	}}
}

// elsewhere is about two networks that meet nowhere: what lies between is the
// outside of both.
func (r *run) elsewhere(s *site, l *leg, o *site, to *leg) []promise {
	k := knock{testhost.ICMP, 0}
	out := l.way(s)
	c, why := r.leaving(s, l, out, k, to.a), ""
	c.verb = arrive
	switch {
	case c.rule == never:
	case r.enters(s, c, o, to, k) || r.uplinked(l, o):
		why = "the way leads through the outside"
	default:
		c.rule = never
	}
	return []promise{r.lands(s, l, o, to, k, c, why)}
}

// enters reports whether guests may open connections to a leg of a network that
// they do not meet: as themselves, or as one of the addresses they leave with.
func (r *run) enters(s *site, c claim, o *site, to *leg, k knock) bool {
	end := party{network: o.name, addr: to.a}
	lets := func(from party) bool {
		v, _ := r.rules.decide(ask{from, end, k})
		return v == allowed || v == undecided && stance(o.net, to.gate) == spec.StanceOpen
	}
	sources := append([]netip.Addr{c.self}, c.host...)
	if c.rule == asChosen {
		sources = []netip.Addr{c.chosen.From, c.chosen.To}
	}
	return lets(party{network: s.name, addr: c.self}) || slices.ContainsFunc(sources, func(a netip.Addr) bool { return lets(party{addr: a}) })
}

// uplinked reports whether the router of a leg leaves by a network, whose guests
// it then reaches as one of them.
func (r *run) uplinked(l *leg, o *site) bool {
	if l.via == nil {
		return false
	}
	for _, u := range r.o.Routers[l.router].Ways() {
		if u.Network == o.name || u.Network == "" && u.Bridge == o.net.Bridge.Name {
			return true
		}
	}
	return false
}

// gatewayOf proves that the gateway's address on another network is part of that
// network.
func (r *run) gatewayOf(s *site, l *leg, o *site, to *leg) []promise {
	k := knock{testhost.ICMP, 0}
	if to.router != l.router || s.owns(to.gateway) {
		return nil
	}
	text := fmt.Sprintf("guest → gateway %s of %s (icmp)", to.gateway, o.name)
	what := toGateway(s.net.Mode)
	if v, _ := r.rules.decide(toItself(s, l, o.name, to.gateway, k)); v == allowed {
		what = free
	}
	return []promise{r.silent(s, l, text, to.gateway, what, l.hop)}
}

// toItself is what a guest asks of the host or router itself, at its address on a
// network.
func toItself(s *site, l *leg, network string, gateway netip.Addr, k knock) ask {
	return ask{
		from:  party{network: s.name, addr: l.a},
		to:    party{network: network, addr: gateway, gateway: true, router: l.router, own: network == s.name},
		knock: k,
	}
}
