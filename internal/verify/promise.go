package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// promise is one thing to prove, and how.
type promise struct {
	text     string
	expected string
	try      func(ctx context.Context) (seen string, ok bool)
}

// unproved is a promise that this host gives no way to prove.
func unproved(text, expected, why string) promise {
	return promise{text, expected, func(context.Context) (string, bool) { return "not checked: " + why, true }}
}

// promises lists what a network's mode promises, in the order of the mode table.
func (r *run) promises(s *site, others []*site) []promise {
	if s.net.Direct != nil {
		return []promise{unproved("guest joins the network", "is on a NIC", "its ports are macvtaps")}
	}
	if s.broken != "" {
		return []promise{{"guest joins the network", "plugged into " + s.net.Bridge.Name,
			func(context.Context) (string, bool) { return s.broken, false }}}
	}
	var list []promise
	for _, l := range s.legs {
		if !l.a.IsValid() {
			list = append(list, unproved("guest in "+l.prefix.String(), "takes an address", "no address is free"))
			continue
		}
		list = append(list, r.amongGuests(s, l)...)
	}
	each := func(make func(s *site, l *leg) []promise) {
		for _, l := range s.legs {
			if l.a.IsValid() {
				list = append(list, make(s, l)...)
			}
		}
	}
	if s.net.Mode == spec.Bridge {
		each(r.lanGateway)
		return list
	}
	list = append(list, lost(s)...)
	each(r.ownGateway)
	each(r.hostAddress)
	each(r.outside)
	each(r.past)
	each(func(s *site, l *leg) []promise { return r.spoofs(s, l, others) })
	for _, o := range others {
		each(func(s *site, l *leg) []promise { return r.network(s, l, o) })
	}
	list = append(list, r.forwards(s, others)...)
	return append(list, r.services(s, others)...)
}

// lost tells of routers that are not there to look into.
func lost(s *site) (list []promise) {
	for _, l := range s.legs {
		if l.lost != "" && s.first(l) {
			list = append(list, promise{"guest → router " + l.router + " of " + l.prefix.String(), "is there", func(context.Context) (string, bool) { return l.lost, false }})
		}
	}
	return list
}

// amongGuests are the promises of the segment itself.
func (r *run) amongGuests(s *site, l *leg) (list []promise) {
	if s.net.Isolated && s.net.Mode.Managed() && l.b.IsValid() { // on a LAN only ports of kvmnet are kept apart
		return []promise{s.apart(l)}
	}
	for _, proto := range []testhost.Proto{testhost.ICMP, testhost.TCP} {
		if !l.b.IsValid() {
			list = append(list, unproved(fmt.Sprintf("guest ↔ guest (%s)", proto), "answered", "no second address is free in "+l.prefix.String()))
			continue
		}
		list = append(list, r.asks(s, l, fmt.Sprintf("guest ↔ guest %s (%s)", l.b, proto), testhost.Probe{Proto: proto, To: l.b}))
	}
	return list
}

// apart is what an isolated network promises of its guests.
func (s *site) apart(l *leg) promise {
	return promise{fmt.Sprintf("guest ↔ guest %s (%s)", l.b, discovery(l)), "no answer", func(ctx context.Context) (string, bool) {
		found, err := s.a.whoHas(ctx, []netip.Addr{l.b}, quiet)
		return silence(found[l.b], err)
	}}
}

// ownGateway is the address the host or router holds on the network, for DHCP and
// DNS.
func (r *run) ownGateway(s *site, l *leg) []promise {
	if !l.gateway.IsValid() {
		return nil
	}
	text := fmt.Sprintf("guest → gateway %s (ping)", l.gateway)
	if v, _ := r.rules.decide(toItself(s, l, s.name, l.gateway, knock{proto: testhost.ICMP})); v == refused {
		return []promise{r.silent(s, l, text, l.gateway, never, l.hop)}
	}
	return []promise{r.asks(s, l, text, testhost.Probe{Proto: testhost.ICMP, To: l.gateway})}
}

// asks is a question from the guest's own IP stack that must be answered.
func (r *run) asks(s *site, l *leg, text string, p testhost.Probe) promise {
	p.From, p.Timeout = l.a, patience
	return promise{text, "answered", func(ctx context.Context) (string, bool) {
		switch res := s.a.host.Probe(ctx, p); {
		case res.OK:
			return "answered", true
		case res.Reason == testhost.Timeout, res.By == l.a: // nobody tells a MAC, says the guest's own kernel
			return "no answer", false
		default:
			return "no answer: " + res.String(), false
		}
	}}
}

// hostAddress is what an isolated network hides: that the host has other
// addresses. Linux answers ARP for all of them on every link, unless told not to.
func (r *run) hostAddress(s *site, l *leg) []promise {
	hidden := slices.DeleteFunc(slices.Clone(r.host.beyond(s.net.Uplink, l.v6()).self), func(a netip.Addr) bool { return a == l.gateway })
	if s.net.Mode != spec.Isolated || len(hidden) == 0 || s.leg(l.v6()) != l {
		return nil
	}
	to := hidden[0]
	ask := promise{fmt.Sprintf("guest → host %s (%s)", to, discovery(l)), "no answer", func(ctx context.Context) (string, bool) {
		found, err := s.a.whoHas(ctx, []netip.Addr{to}, quiet)
		return silence(found[to], err)
	}}
	return []promise{ask, r.silent(s, l, fmt.Sprintf("guest → host %s (icmp)", to), to, never, s.mac)}
}

// discovery is how hosts of a family find each other's MAC.
func discovery(l *leg) string {
	if l.v6() {
		return "nd"
	}
	return "arp"
}

func silence(mac spec.MAC, err error) (string, bool) {
	switch {
	case err != nil:
		return err.Error(), false
	case mac.IsZero():
		return "no answer", true
	}
	return "answered from " + mac.String(), false
}

// silent is an address of the host or router that a guest may reach or not.
func (r *run) silent(s *site, l *leg, text string, to netip.Addr, allowed rule, hop spec.MAC) promise {
	expected := "no answer"
	if allowed == free {
		expected = "answered, if the host's firewall lets it"
	}
	home := l.home
	if home == nil || hop == s.mac {
		home = r.host
	}
	return promise{text, expected, func(ctx context.Context) (string, bool) {
		got, err := r.try(ctx, trial{from: s.a, home: home, hop: hop, knock: knock{proto: testhost.ICMP}, src: l.a, dst: to, wait: quiet},
			func(got sight) bool { return seen(got.replied) })
		switch {
		case err != nil:
			return err.Error(), false
		case seen(got.replied): // by a door, because it does not know the guest's address
			return "answered by " + got.replied.Interface, allowed == free
		case seen(got.answer) && !isError(got.answer):
			return "answered", allowed == free
		}
		if why := words(got, to); why != "" {
			return "no answer, " + why, true
		}
		return "no answer", true
	}}
}

// lanGateway is all that is known of a LAN: the host's own gateway on it.
func (r *run) lanGateway(s *site, l *leg) []promise {
	for _, hop := range r.host.defaults([]string{s.net.Bridge.Name}, l.v6()) {
		if !hop.via.IsValid() {
			continue
		}
		return []promise{{fmt.Sprintf("guest → gateway %s (%s)", hop.via, discovery(l)), "answered", func(ctx context.Context) (string, bool) {
			found, err := s.a.whoHas(ctx, []netip.Addr{hop.via}, patience)
			saw, silent := silence(found[hop.via], err)
			return saw, err == nil && !silent
		}}}
	}
	return []promise{unproved(fmt.Sprintf("guest → gateway of the LAN (%s)", discovery(l)), "answered", "the host has no gateway by "+s.net.Bridge.Name)}
}
