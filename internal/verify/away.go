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
	out := r.host.beyond(s.net, l.v6())
	c := claim{rule: toOutside(s.net, l.v6()), self: l.a, host: out.self, verb: leave}
	for _, proto := range []testhost.Proto{testhost.ICMP, testhost.UDP} {
		if out.why != "" {
			list = append(list, unproved(fmt.Sprintf("guest → outside (%s)", proto), c.expected(), out.why))
			continue
		}
		list = append(list, r.leaves(s, l, fmt.Sprintf("guest → outside %s (%s)", out.addr, proto), c.pinned(s.net, out), out, proto))
	}
	return list
}

// pinned narrows a claim about a network that may leave by one uplink only. Where
// the host's own route is another one, nothing may leave.
func (c claim) pinned(n *spec.Network, out *outside) claim {
	switch {
	case n.Uplink == "" || c.rule == never:
	case n.Uplink != out.link:
		c.rule = never
	default:
		c.link = n.Uplink
	}
	return c
}

func (r *run) leaves(s *site, l *leg, text string, c claim, out *outside, proto testhost.Proto) promise {
	return promise{text, c.expected(), func(ctx context.Context) (string, bool) {
		if l.mute && (c.rule == asSelf || c.rule == asHost) {
			return fmt.Sprintf("nothing left: gateway %s does not answer (%s)", l.gateway, discovery(l)), false
		}
		t := trial{from: s.a, hop: l.hop, proto: proto, src: c.self, dst: out.addr, wait: c.patience()}
		got, err := r.try(ctx, t, func(got sight) bool { return seen(got.left) })
		if err != nil {
			return err.Error(), false
		}
		if by := got.left.Interface; seen(got.left) && by != out.link { // with several default routes the kernel chooses one a flow
			c.host = append(slices.Clone(c.host), r.host.addresses(by, l.v6())...)
		}
		saw, ok := c.judge(got.left, words(got, out.addr))
		if !ok && !seen(got.left) {
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
	out := r.host.beyond(s.net, l.v6())
	if s.net.Mode == spec.Open || out.why != "" || s.leg(l.v6()) != l {
		return nil
	}
	spoof := func(source netip.Addr, of string) promise {
		return r.leaves(s, l, fmt.Sprintf("guest as %s%s → outside %s (icmp)", source, of, out.addr), claim{rule: never, self: source, verb: leave}, out, testhost.ICMP)
	}
	list := []promise{spoof(foreign(r.o.Running, l.v6()), "")}
	for _, o := range others {
		if to := o.leg(l.v6()); to != nil && to.gateway.IsValid() && to.a.IsValid() {
			return append(list, spoof(to.a, " of "+o.name))
		}
	}
	return list
}

// network proves what becomes of packets to a guest of another network, and to
// the host's address there.
func (r *run) network(s *site, l *leg, o *site) []promise {
	if o.broken != "" && s.leg(l.v6()) == l {
		return []promise{unproved("guest → guest of "+o.name+" (icmp)", arrive.not, o.broken)}
	}
	to := o.leg(l.v6())
	if to == nil || !to.gateway.IsValid() || s.leg(l.v6()) != l {
		return nil
	}
	list := []promise{r.silent(s, l, fmt.Sprintf("guest → gateway %s of %s (icmp)", to.gateway, o.name), to.gateway, toGateway(s.net.Mode))}
	if !to.a.IsValid() {
		return append(list, unproved("guest → guest of "+o.name, arrive.not, "no address is free in "+to.prefix.String()))
	}
	c := claim{rule: toNetwork(s.net.Mode, o.net.Mode), self: l.a, verb: arrive}
	t := trial{from: s.a, to: o.a, hop: l.hop, proto: testhost.ICMP, src: l.a, dst: to.a, wait: c.patience()}
	return append([]promise{{fmt.Sprintf("guest → guest %s of %s (icmp)", to.a, o.name), c.expected(), func(ctx context.Context) (string, bool) {
		got, err := r.try(ctx, t, func(got sight) bool { return seen(got.arrived[o.a]) })
		if err != nil {
			return err.Error(), false
		}
		return c.judge(got.arrived[o.a], words(got, to.a))
	}}}, list...)
}
