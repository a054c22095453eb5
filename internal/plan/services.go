package plan

import (
	"net/netip"
	"strings"

	"kvmnet/internal/spec"
)

// Services returns what is to be served on the live networks, ordered by network,
// with every default worked out. It is pure. A managed network is served by the
// host where that has an address there, else by the first router that has one, and
// by nobody when there is none; one on a bridge of the host is only watched.
func Services(live *spec.Spec, facts Facts) []Service {
	return ServicesOf(live, facts, func(string) bool { return true })
}

// ServicesOf returns those of Services that are on some of the networks.
func ServicesOf(live *spec.Spec, facts Facts, some func(network string) bool) []Service {
	v := serving{builder: builder{live: live, facts: facts, lay: newLayout(live, facts)}, domains: map[string]int{}}
	for name, n := range sorted(live.Networks) {
		if n.Mode.Managed() && v.lay.gateway(name, "") != nil && dnsOn(n) {
			v.domains[domainOf(n)]++
		}
	}
	var list []Service
	for name, n := range sorted(live.Networks) {
		e := v.lay.gateway(name, "")
		switch {
		case !some(name):
		case n.Mode == spec.Bridge:
			if v.bridged(n.Bridge.Name) {
				list = append(list, v.watch(name, n))
			}
		case e != nil && e.ns != "":
			list = append(list, v.byRouter(name, e))
		case e != nil:
			list = append(list, v.byHost(name, n))
		}
	}
	return list
}

// byHost works out what the host serves on a network.
func (v *serving) byHost(name string, n *spec.Network) Service {
	seen := *n
	seen.Mode = v.opened(name, n.Mode)
	return v.network(name, &seen)
}

// opened is the mode as guests are to see it: those of an isolated network that a
// policy, peer or forward opens need a way for their answers.
func (v *serving) opened(network string, m spec.Mode) spec.Mode {
	if m == spec.Isolated && v.lay.opened[network] {
		return spec.Route
	}
	return m
}

// byRouter works out what a router serves on a network: the same as the host would,
// with its own subnets.
func (v *serving) byRouter(name string, e *end) Service {
	seen := *e.n
	seen.Subnets, seen.Routes = e.i.Gateways(), nil
	seen.Mode = map[spec.Egress]spec.Mode{spec.EgressNone: spec.Isolated, spec.EgressRoute: spec.Route}[e.egress()]
	if seen.Mode == "" {
		seen.Mode = spec.NAT
	}
	seen.Mode = v.opened(name, seen.Mode)
	s := v.network(name, &seen)
	s.NS, s.Device = e.ns, e.link
	s.MAC = newRouting(&v.builder, e.ns, v.live.Routers[e.ns]).mac(e.link, e.i.MAC)
	if s.DNS != nil {
		s.DNS.Register = false // the host has no way to a router's inside
	}
	return s
}

// serving works out the services of one set of live networks.
type serving struct {
	builder
	domains map[string]int // how many networks answer for a domain
}

// usable reports whether the kernel knows the subnet's family.
func (v *serving) usable(s spec.Subnet) bool { return v.has(s.Address.Addr()) }

// bridged reports whether there is, or will be, a bridge of the host.
func (v *serving) bridged(name string) bool {
	_, declared := v.live.Bridges[name]
	return declared || v.facts.Links[name].Type == "bridge"
}

func (v *serving) watch(name string, n *spec.Network) Service {
	mac := v.facts.Links[n.Bridge.Name].MAC
	if hb := v.live.Bridges[n.Bridge.Name]; hb != nil {
		mac = v.bridgeMAC(n.Bridge.Name, hb)
	}
	return Service{Network: name, Bridge: n.Bridge.Name, Device: n.Bridge.Name, MAC: mac, Ports: v.interfaces(name), Watch: true}
}

// network works out what a managed network serves.
func (v *serving) network(name string, n *spec.Network) Service {
	s := Service{Network: name, Bridge: n.Bridge.Name, Device: n.Bridge.Name, MAC: v.networkMAC(name, n), Ports: v.interfaces(name), Joins: v.lay.joins(name)}
	for _, subnet := range n.Subnets {
		if v.usable(subnet) {
			s.Subnets = append(s.Subnets, subnet.Address)
		}
	}
	s.DNS = v.dns(name, n, s.Subnets)
	s.DHCP4, s.DHCP6 = v.dhcp(name, n, false), v.dhcp(name, n, true)
	s.RA = v.advertise(n, s.DHCP6)
	s.TFTP = v.tftp(n)
	s.Guarded = guardsAddresses(v.live, name)
	return s
}

// networkMAC is the address that a network's bridge was given, else one made from
// its name.
func (b *builder) networkMAC(name string, n *spec.Network) spec.MAC {
	if !n.Bridge.MAC.IsZero() {
		return n.Bridge.MAC
	}
	return spec.GenerateMAC(b.facts.HostID + "/network/" + name)
}

// interfaces names the ports of a network by their interfaces, those included that
// stay although their definition cannot be read.
func (v *serving) interfaces(network string) map[string]string {
	ports := map[string]string{}
	for l := range Of[Link](v.facts.Kept) {
		if name, port := strings.CutPrefix(l.Owner(), "port/"); port && l.Master == v.live.Networks[network].Bridge.Name {
			ports[l.Name] = name
		}
	}
	for _, name := range v.lay.portsOf(network) {
		ports[v.live.Ports[name].Interface] = name
	}
	return ports
}

// tftp lists the directories that gateway addresses serve: those of the subnets
// whose DHCP sends guests there, or has settings of its own that do while another
// server gives the addresses.
func (v *serving) tftp(n *spec.Network) []TFTP {
	var list []TFTP
	for _, s := range n.Subnets {
		if b := bootOf(n, s); b != nil && b.TFTP != "" && v.usable(s) && (dhcpOn(s) || s.DHCP != nil && s.DHCP.Boot == b) {
			list = append(list, TFTP{s.Address.Addr(), b.TFTP})
		}
	}
	return list
}

// gateways are the addresses of a family that the host holds on a network.
func (v *serving) gateways(n *spec.Network, v6 bool) []netip.Addr {
	var list []netip.Addr
	for _, s := range n.Subnets {
		if a := s.Address.Addr(); v.usable(s) && a.Is6() == v6 {
			list = append(list, a)
		}
	}
	return list
}

// dnsOn reports whether the network's gateways answer names.
func dnsOn(n *spec.Network) bool { return n.DNS == nil || spec.Truth(n.DNS.Enabled) }

func dhcpOn(s spec.Subnet) bool { return s.DHCP != nil && spec.Truth(s.DHCP.Enabled) }
