package plan

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// claims wants, for every port on a network of ours, the gateway addresses that a
// guest there must not speak for: those of the host and of routers. A router may
// speak for its own, and advertise itself.
func (b *builder) claims() {
	ports := b.pluggedIn()
	for name, n := range sorted(b.live.Networks) {
		if n.Mode == spec.Bridge {
			continue
		}
		ends, routers := b.lay.routed(name), map[string]*end{}
		for _, e := range ends {
			if e.router != "" {
				routers[HostEnd(e.router, e.link)] = e
			}
		}
		for _, port := range ports[n.Bridge.Name] {
			if routers[port] == nil && len(ends) > 0 {
				b.want.Add(Element{Mark: Mark("network/" + name), Map: "hosts", ID: port})
			}
			for _, e := range ends {
				if routers[port] != e {
					b.claim(e, port)
				}
			}
		}
	}
}

// claim wants the addresses of an end, with the one from which it advertises itself:
// guests have their default route by that.
func (b *builder) claim(e *end, port string) {
	row := func(a netip.Addr) {
		b.want.Add(Element{Mark: Mark("network/" + e.network), Map: "claims" + family(a), ID: port + " . " + a.String()})
	}
	for _, p := range e.subnets {
		if row(p.Addr()); p.Addr().Is6() {
			row(madeOf(linkLocal, b.gatewayMAC(e.network, e.n, e.router, e.i)))
		}
	}
}

// gatewayMAC is the address of the host, or of an interface of a router, on a network.
func (b *builder) gatewayMAC(network string, n *spec.Network, router string, i *spec.Interface) spec.MAC {
	if i == nil {
		return b.networkMAC(network, n)
	}
	return (&routing{builder: b, name: router}).mac(i.Name, i.MAC)
}

// pluggedIn lists the ports of bridges, those included that others plugged in.
func (b *builder) pluggedIn() map[string][]string {
	ports := map[string][]string{}
	add := func(l Link) {
		if l.Master != "" && !slices.Contains(ports[l.Master], l.Name) {
			ports[l.Master] = append(ports[l.Master], l.Name)
		}
	}
	for l := range Of[Link](b.want) {
		if l.NS == "" {
			add(l)
		}
	}
	for _, l := range b.facts.Links {
		if _, ours := b.want[l.Key()]; !ours && l.Owner() == "" {
			add(l)
		}
	}
	return ports
}
