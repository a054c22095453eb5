package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// This file holds the promises about packets that leave their network.

// outside proves how guests reach the outside. A packet seen to leave is proof
// enough, because the outside may be silent.
func (r *run) outside(s *site, l *leg) (list []promise) {
	out := l.way(s)
	if out.why != "" {
		c := r.leaving(s, l, out, knock{proto: testhost.ICMP}, netip.Addr{})
		for _, proto := range []testhost.Proto{testhost.ICMP, testhost.UDP} {
			list = append(list, unproved(fmt.Sprintf("guest → outside (%s)", proto), c.expected(), out.why))
		}
		return append(list, killSwitch(s, l)...)
	}
	for _, e := range r.errands(s, l, out) {
		text := fmt.Sprintf("guest → outside %s (%s)", e.dst, e.knock)
		c, why := r.leaving(s, l, out, e.knock, e.dst), ""
		if e.dst != out.addr {
			why = l.home.beside(e.dst)
		}
		if why != "" {
			list = append(list, unproved(text, c.expected(), why))
			continue
		}
		list = append(list, r.leaves(s, l, text, c, out, trial{knock: e.knock, dst: e.dst, hop: l.hop, home: l.home}))
	}
	return append(list, killSwitch(s, l)...)
}

// beside returns why an address is not outside, "" when it is.
func (p *place) beside(a netip.Addr) string {
	link, local, err := p.route(a)
	switch {
	case err != nil:
		return fmt.Sprintf("%s has no route to %s: %v", p.who(), a, err)
	case local || p.inner[link]:
		return fmt.Sprintf("%s is not outside of %s", a, p.who())
	}
	return ""
}

// leaves tries whether a packet leaves as it is claimed.
func (r *run) leaves(s *site, l *leg, text string, c claim, out *outside, t trial) promise {
	t.from, t.src, t.wait = s.a, c.self, c.patience()
	return promise{text, c.expected(), func(ctx context.Context) (string, bool) {
		if l.mute && c.rule != never && c.rule != free {
			return fmt.Sprintf("nothing left: gateway %s does not answer (%s)", l.gateway, discovery(l)), false
		}
		got, err := r.try(ctx, t, func(got sight) bool { return seen(got.left) || seen(got.leaked) })
		if err != nil {
			return err.Error(), false
		}
		left := got.left
		if c.rule == never && !seen(left) {
			left = got.leaked
		}
		if by := left.Interface; seen(left) && by != out.link { // with several default routes the kernel chooses one a flow
			c.host = append(slices.Clone(c.host), t.home.addresses(by, l.v6())...)
		}
		saw, ok := c.judge(left, words(got, t.dst))
		if !ok && !seen(left) {
			if dead := out.dead(ctx); dead != "" {
				return "not checked: " + dead, true
			}
		}
		return saw, ok
	}}
}

// spoofs proves that no source but the network's own leaves: neither one that
// belongs nowhere, nor a guest's of another network. In an open network the
// host's firewall decides.
func (r *run) spoofs(s *site, l *leg, others []*site) []promise {
	out := l.way(s)
	if l.via == nil && s.net.Mode == spec.Open || out.why != "" || !s.first(l) {
		return nil
	}
	spoof := func(source netip.Addr, of string) promise {
		return r.leaves(s, l, fmt.Sprintf("guest as %s%s → outside %s (icmp)", source, of, out.addr), claim{rule: never, self: source, verb: leave}, out,
			trial{knock: knock{proto: testhost.ICMP}, dst: out.addr, hop: l.hop, home: l.home})
	}
	list := []promise{spoof(foreign(r.nets, l.v6()), "")}
	for _, o := range others {
		if to := o.facing(l); to != nil && to.gateway.IsValid() && to.a.IsValid() && !s.owns(to.a) {
			return append(list, spoof(to.a, " of "+o.name))
		}
	}
	return list
}

// past proves that guests behind a router do not leave by the host instead, which
// is on the same segment.
func (r *run) past(s *site, l *leg) []promise {
	out := r.host.beyond(s.net.Uplink, l.v6())
	hosts := slices.ContainsFunc(s.legs, func(o *leg) bool { return o.via == nil && o.v6() == l.v6() })
	if l.via == nil || hosts || out.why != "" || !s.first(l) {
		return nil
	}
	return []promise{r.leaves(s, l, fmt.Sprintf("guest → outside %s past the router (icmp)", out.addr), claim{rule: never, self: l.a, verb: leave}, out,
		trial{knock: knock{proto: testhost.ICMP}, dst: out.addr, hop: s.mac, home: r.host})}
}
