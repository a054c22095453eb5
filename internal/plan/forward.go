package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// forwards wants the elements that lead connections to guests: on the host, or in
// the router that is the gateway of the guest's network.
func (b *builder) forwards() {
	for name, f := range sorted(b.live.Forwards) {
		e := b.lay.listens(f)
		if e == nil {
			continue
		}
		for _, guest := range b.lay.targets(f) {
			if f.Floating.IsValid() {
				b.floating(name, f, e, guest)
			} else {
				b.forward(name, f, e, guest)
			}
		}
	}
}

// listens is the end behind which the guest is that a forward leads to; nil when
// its network, or the router, is not there.
func (l *layout) listens(f *spec.Forward) *end {
	if f.Router != "" {
		return l.at(f.Network, f.Router)
	}
	return l.gateway(f.Network, "")
}

// targets are the addresses a forward leads to, at most one a family; none while
// the guest has none.
func (l *layout) targets(f *spec.Forward) []netip.Addr {
	outside := f.Listen.Addr
	if f.Floating.IsValid() {
		outside = f.Floating
	}
	var list []netip.Addr
	for _, a := range l.guest(f.Network, f.To) {
		fits := l.has(a) && (!outside.IsValid() || outside.Is4() == a.Is4())
		if fits && !slices.ContainsFunc(list, func(other netip.Addr) bool { return other.Is4() == a.Is4() }) {
			list = append(list, a)
		}
	}
	return list
}

// guest lists the addresses of a guest by name: those it was given, or has at the
// moment.
func (l *layout) guest(network string, t spec.Target) []netip.Addr {
	if t.Addr.IsValid() {
		return []netip.Addr{t.Addr}
	}
	name := strings.ToLower(t.Name)
	return slices.Concat(l.fixed(network)[name], l.facts.Guests[network][name])
}

// fixed are the addresses that are given to guests of a network in advance, by
// name: those of ports first, then those that DHCP keeps.
func (l *layout) fixed(network string) map[string][]netip.Addr {
	if names, known := l.guests[network]; known {
		return names
	}
	names := map[string][]netip.Addr{}
	for _, port := range l.portsOf(network) {
		if label := hostLabel(port); label != "" {
			names[label] = append(names[label], l.live.Ports[port].Addresses...)
		}
	}
	for _, e := range l.ends[network] {
		e.reserved(names)
	}
	l.guests[network] = names
	return names
}

// portsOf are the names of a network's ports, sorted.
func (l *layout) portsOf(network string) []string {
	if l.ports == nil {
		l.ports = map[string][]string{}
		for name, p := range sorted(l.live.Ports) {
			l.ports[p.Network] = append(l.ports[p.Network], name)
		}
	}
	return l.ports[network]
}

// reserved adds the addresses that DHCP keeps on the end.
func (e *end) reserved(names map[string][]netip.Addr) {
	subnets := e.n.Subnets
	if e.i != nil {
		subnets = e.i.Gateways()
	}
	for _, s := range subnets {
		if !dhcpOn(s) {
			continue
		}
		for _, host := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
			key := e.n.DNS.Key(spec.ReservedName(host))
			names[key] = append(names[key], s.DHCP.Hosts[host].IP)
		}
	}
}

// forward wants the elements of one family: one for a range that keeps its ports,
// else one a port.
func (b *builder) forward(name string, f *spec.Forward, e *end, guest netip.Addr) {
	for _, el := range forwardElements(f, guest) {
		el.Mark, el.NS = Mark("forward/"+name), e.ns
		b.want.Add(el)
	}
	if f.Listen.Addr.IsValid() && e.ns != "" {
		b.holdInRouter(e, f.Listen.Addr)
	}
}

func forwardElements(f *spec.Forward, guest netip.Addr) []Element {
	protocol := string(f.Protocol)
	if protocol == "" {
		protocol = string(spec.TCP)
	}
	at, suffix := "", family(guest)
	if f.Listen.Addr.IsValid() {
		at, suffix = f.Listen.Addr.String()+" . ", "_at"+family(guest)
	}
	ports, first := f.Listen.Ports, f.To.Port
	if first == 0 {
		first = ports.From
	}
	if ports.Len() > 1 && first == ports.From {
		return []Element{{Map: "forward_range" + suffix, ID: at + protocol + " . " + ports.String(), Value: guest.String()}}
	}
	list := make([]Element, ports.Len())
	for k := range list {
		list[k] = Element{Map: "forward" + suffix, ID: fmt.Sprintf("%s%s . %d", at, protocol, int(ports.From)+k),
			Value: fmt.Sprintf("%s . %d", guest, int(first)+k)}
	}
	return list
}

// floating wants what makes an outside address a guest's.
func (b *builder) floating(name string, f *spec.Forward, e *end, guest netip.Addr) {
	owner, fam := Mark("forward/"+name), family(guest)
	b.want.Add(
		Element{Mark: owner, NS: e.ns, Map: "floating" + fam, ID: f.Floating.String(), Value: guest.String()},
		Element{Mark: owner, NS: e.ns, Map: "floating_source" + fam, ID: guest.String(), Value: f.Floating.String()})
	if e.ns != "" {
		b.holdInRouter(e, f.Floating)
		return
	}
	if link := b.lay.segmentOf(f.Floating); link != "" {
		b.want.Add(heldAddr(owner, place{"", link}, f.Floating))
	}
}

// heldAddr is an address that is held for guests: what the host or router itself
// sends must not leave with it. In IPv4 one with another prefix length is no choice
// while there is one of the segment.
func heldAddr(owner Mark, at place, a netip.Addr) Addr {
	return Addr{Mark: owner, NS: at.ns, Link: at.link, Prefix: netip.PrefixFrom(a, a.BitLen()), Deprecated: a.Is6()}
}

func (b *builder) holdInRouter(e *end, a netip.Addr) {
	if slices.ContainsFunc(b.lay.routerAddresses(e.ns), func(p netip.Prefix) bool { return p.Addr() == a }) {
		return
	}
	newRouting(b, e.ns, b.live.Routers[e.ns]).hold(a, "")
}

// segmentOf is the interface of the host on whose segment an outside address is,
// else that of its default route; "" when it needs no holding, or has no place.
func (l *layout) segmentOf(a netip.Addr) string {
	for name, hb := range sorted(l.live.Bridges) {
		for _, p := range hb.Addresses {
			switch {
			case p.Addr() == a:
				return ""
			case p.Contains(a):
				return name
			}
		}
	}
	link := ""
	for _, have := range l.facts.Addresses {
		switch {
		case have.Prefix.Addr() == a:
			return ""
		case have.Prefix.Contains(a) && link == "":
			link = have.Link
		}
	}
	defaults := l.facts.Uplinks4
	if a.Is6() {
		defaults = l.facts.Uplinks6
	}
	if link == "" && len(defaults) > 0 {
		link = defaults[0]
	}
	return link
}

// fromLoopback reports whether the host itself may reach guests of the end by its
// loopback address of a family.
func (l *layout) fromLoopback(e *end, fam func(netip.Addr) bool) bool {
	for _, f := range l.forwards[e.network] {
		if e.ns == "" && !f.Floating.IsValid() && l.listens(f) == e &&
			slices.ContainsFunc(l.targets(f), fam) {
			return true
		}
	}
	return false
}

// leaves reports whether an end of the host needs an uplink: its guests leave, or
// somebody outside may come in.
func (l *layout) leaves(e *end) bool {
	if e.n.Mode.Forwards() {
		return true
	}
	if !l.opened[e.network] || len(e.subnets) == 0 {
		return false
	}
	if slices.ContainsFunc(l.forwards[e.network], func(f *spec.Forward) bool { return l.listens(f) == e }) {
		return true
	}
	elsewhere := func(p spec.Party) bool { return p.Network() == "" }
	for _, r := range l.rules {
		if r.verdict == allow && (l.names(r.from, e.network) && elsewhere(r.to) || l.names(r.to, e.network) && elsewhere(r.from)) {
			return true
		}
	}
	return false
}

// peers wants the rows of networks that reach each other without NAT, wherever both
// are routed.
func (b *builder) peers() {
	for _, e := range b.lay.order {
		for _, name := range e.n.Peers {
			if other := b.lay.at(name, e.ns); other != nil && b.lay.at(e.network, e.ns) == e {
				b.want.Add(
					Element{Mark: e.owner(), NS: e.ns, Map: "peered", ID: e.link + " . " + other.link},
					Element{Mark: other.owner(), NS: e.ns, Map: "peered", ID: other.link + " . " + e.link})
			}
		}
	}
}

// peered reports whether one of two networks names the other as its peer.
func (l *layout) peered(a, b *end) bool {
	if a == nil || b == nil || a.network == "" || b.network == "" {
		return false
	}
	return slices.Contains(a.n.Peers, b.network) || slices.Contains(b.n.Peers, a.network)
}
