package plan

import (
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Services returns what is to be served on the live networks, ordered by network,
// with every default worked out. It is pure. A managed network without an address
// has no service; one on a bridge of the host is only watched.
func Services(live *spec.Spec, facts Facts) []Service {
	v := serving{builder: builder{live: live, facts: facts}, ports: map[string][]string{}, domains: map[string]int{}}
	for name, p := range sorted(live.Ports) {
		v.ports[p.Network] = append(v.ports[p.Network], name)
	}
	for _, n := range sorted(live.Networks) {
		if v.serves(n) && dnsOn(n) {
			v.domains[domainOf(n)]++
		}
	}
	var list []Service
	for name, n := range sorted(live.Networks) {
		switch {
		case n.Mode == spec.Bridge:
			if v.bridged(n.Bridge.Name) {
				list = append(list, v.watch(name, n))
			}
		case v.serves(n):
			list = append(list, v.network(name, n))
		}
	}
	return list
}

// serving works out the services of one set of live networks.
type serving struct {
	builder
	ports   map[string][]string // names of the ports by network, sorted
	domains map[string]int      // how many networks answer for a domain
}

// serves reports whether the host has an address on a network of ours.
func (v *serving) serves(n *spec.Network) bool {
	return n.Mode.Managed() && slices.ContainsFunc(n.Subnets, v.usable)
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
	return Service{Network: name, Bridge: n.Bridge.Name, MAC: mac, Ports: v.interfaces(name), Watch: true}
}

// network works out what a managed network serves.
func (v *serving) network(name string, n *spec.Network) Service {
	s := Service{Network: name, Bridge: n.Bridge.Name, MAC: v.networkMAC(name, n), Ports: v.interfaces(name)}
	for _, subnet := range n.Subnets {
		if v.usable(subnet) {
			s.Subnets = append(s.Subnets, subnet.Address)
		}
	}
	s.DNS = v.dns(name, n, s.Subnets)
	s.DHCP4, s.DHCP6 = v.dhcp(name, n, false), v.dhcp(name, n, true)
	s.RA = v.advertise(n, s.DHCP6)
	s.TFTP = v.tftp(n)
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
	for _, name := range v.ports[network] {
		ports[v.live.Ports[name].Interface] = name
	}
	return ports
}

// tftp lists the directories that gateway addresses serve: those of the subnets
// whose DHCP sends guests there.
func (v *serving) tftp(n *spec.Network) []TFTP {
	var list []TFTP
	for _, s := range n.Subnets {
		if b := bootOf(n, s); b != nil && b.TFTP != "" && v.usable(s) && dhcpOn(s) {
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
