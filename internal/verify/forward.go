package verify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// This file holds the promises of forwards and floating addresses. Who they lead to
// is a guest of somebody: it gets one marked packet, and whether that leaves on its
// network is what counts, not what it says to it.

// mostForwards is how many forwards of a network are tried.
const mostForwards = 8

// led is a forward and where it is tried: from a guest of some network, whose
// packets come to the host or router that listens, to a guest.
type led struct {
	name   string
	f      *spec.Forward
	s      *site
	l      *leg // where the target is
	target netip.Addr
	from   *site
	by     *leg // of from
}

// forwards lists them for the forwards to guests of a network.
func (r *run) forwards(s *site, others []*site) (list []promise) {
	tried := 0
	for _, name := range slices.Sorted(maps.Keys(r.o.Forwards)) {
		if f := r.o.Forwards[name]; f.Network == s.name && tried < mostForwards {
			tried++
			list = append(list, r.forward(s, others, name, f)...)
		}
	}
	return list
}

func (r *run) forward(s *site, others []*site, name string, f *spec.Forward) (list []promise) {
	targets := r.o.Guests[s.name][strings.ToLower(f.To.Name)]
	if f.To.Addr.IsValid() {
		targets = []netip.Addr{f.To.Addr}
	}
	done := map[bool]bool{} // by family
	for _, target := range targets {
		l := listener(s, f, target)
		if l == nil || done[l.v6()] || f.Listen.Addr.IsValid() && f.Listen.Addr.Is6() != l.v6() {
			continue
		}
		done[l.v6()] = true
		d := led{name: name, f: f, s: s, l: l, target: target, from: s, by: l}
		list = append(list, r.lead(d, others)...)
	}
	if len(list) == 0 {
		return []promise{unproved("forward "+name, "leads to "+f.To.String(), "no guest has that name or address")}
	}
	return list
}

// listener is the leg by which a forward reaches an address: that of the router it
// names, else the first.
func listener(s *site, f *spec.Forward, target netip.Addr) *leg {
	for _, l := range s.legs {
		if l.prefix.Contains(target) && l.gateway.IsValid() && l.a.IsValid() && (f.Router == "" || f.Router == l.router) {
			return l
		}
	}
	return nil
}

// lead tries a forward to one target: at the first and the last of its ports.
func (r *run) lead(d led, others []*site) (list []promise) {
	listen, why := d.listens()
	proto := testhost.Proto(cmp.Or(d.f.Protocol, spec.TCP))
	if d.f.Floating.IsValid() {
		d.pick(r, others, knock{proto: testhost.ICMP})
		return []promise{r.follows(d, knock{proto: testhost.ICMP}, listen, 0, why)}
	}
	if d.f.Protocol == spec.SCTP {
		why = "test guests do not speak sctp"
	}
	ports := d.f.Listen.Ports
	for i, port := range slices.Compact([]uint16{ports.From, ports.To}) {
		to := cmp.Or(d.f.To.Port, ports.From)
		if i > 0 {
			to += ports.To - ports.From
		}
		d := d
		d.pick(r, others, knock{proto, to})
		list = append(list, r.follows(d, knock{proto, port}, listen, to, why))
	}
	return list
}

// listens is the address that is asked.
func (d led) listens() (a netip.Addr, why string) {
	switch out := d.l.way(d.s); {
	case d.f.Floating.IsValid():
		return d.f.Floating, ""
	case d.f.Listen.Addr.IsValid():
		return d.f.Listen.Addr, ""
	case len(out.self) > 0:
		return out.self[0], ""
	case out.why != "":
		return a, out.why
	}
	return a, "there is no address outside to ask at"
}

// pick takes a guest of another network that may leave and of which no policy
// says anything, where there is one; else one of the network itself.
func (d *led) pick(r *run, others []*site, k knock) {
	for _, o := range others {
		by := o.facing(d.l)
		if o.broken != "" || by == nil || by.router != d.l.router || !by.gateway.IsValid() || !by.a.IsValid() || by.mute ||
			o.net.Mode == spec.Open || stance(o.net, by.gate) == spec.StanceIsolated || by.via != nil && len(by.via.Allow) > 0 {
			continue
		}
		v, _ := r.rules.decide(ask{party{network: o.name, addr: by.a}, party{network: d.s.name, addr: d.target}, k})
		if v == undecided {
			d.from, d.by = o, by
			return
		}
	}
}

// follows tries one port; no port is a floating address.
func (r *run) follows(d led, k knock, listen netip.Addr, port uint16, why string) promise {
	text := fmt.Sprintf("forward %s: guest of %s → %s (%s)", d.name, d.from.name, printEnd(listen, k.port), k.proto)
	expected := "leads to " + printEnd(d.target, port)
	if why != "" {
		return unproved(text, expected, why)
	}
	t := trial{from: d.from.a, home: d.l.home, hop: d.by.hop, knock: k, src: d.by.a, dst: listen, wait: patience}
	return promise{text, expected, func(ctx context.Context) (string, bool) {
		found, err := d.s.a.whoHas(ctx, []netip.Addr{d.target}, patience)
		if err != nil {
			return err.Error(), false
		}
		if _, there := found[d.target]; !there {
			return fmt.Sprintf("not checked: %s does not answer (%s)", d.target, discovery(d.l)), true
		}
		got, err := r.try(ctx, t, func(got sight) bool { return len(d.arrived(got)) > 0 })
		if err != nil {
			return err.Error(), false
		}
		return d.judge(got, port, listen)
	}}
}

// printEnd prints an address, with its port if it has one.
func printEnd(a netip.Addr, port uint16) string {
	if port == 0 {
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

// judge looks for the packet on its way to the target's network.
func (d led) judge(got sight, port uint16, listen netip.Addr) (string, bool) {
	saw := "led nowhere"
	for _, p := range d.arrived(got) {
		saw = "led to " + printEnd(p.Dst, p.DstPort)
		if p.Dst == d.target && (port == 0 || p.DstPort == port) {
			return saw, true
		}
	}
	if why := words(got, listen); why != "" {
		saw += ", " + why
	}
	return saw, false
}

// arrived are the packets that went out to the target's network.
func (d led) arrived(got sight) []testhost.Packet {
	link := d.s.net.Bridge.Name
	if d.l.via != nil {
		link = d.l.via.Name
	}
	return slices.DeleteFunc(slices.Clone(got.inside), func(p testhost.Packet) bool { return p.Interface != link || !p.IsProbe() })
}
