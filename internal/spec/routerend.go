package spec

import (
	"fmt"
	"maps"
	"slices"
)

// routerEnd is a router's interface on a network.
type routerEnd struct {
	router, path string
	i            *Interface
}

func (e routerEnd) who() string { return fmt.Sprintf("router %q", e.router) }

// routerEnds finds the routers' interfaces on each network.
func (s *Spec) routerEnds() map[string][]routerEnd {
	ends := map[string][]routerEnd{}
	for name, r := range sorted(s.Routers) {
		for k := range r.Interfaces[:min(len(r.Interfaces), maxInterfaces)] {
			i := &r.Interfaces[k]
			path := Index(Field(Field("routers", name), "interfaces"), k)
			ends[i.Network] = append(ends[i.Network], routerEnd{name, path, i})
		}
	}
	return ends
}

// whole returns the network with its subnets on the host and those that routers
// have there; nil for nil.
func (c *checker) whole(name string, n *Network) *Network {
	if n == nil || len(c.ends[name]) == 0 {
		return n
	}
	w := *n
	w.Subnets = slices.Clone(n.Subnets)
	for _, end := range c.ends[name] {
		w.Subnets = append(w.Subnets, end.i.Gateways()...)
	}
	return &w
}

// Holder is who holds gateway addresses on a network: the host, or a router.
type Holder struct {
	Router    string     // "" = the host
	Interface *Interface // nil = the host's bridge
	Subnets   []Subnet
}

// Holders are those who hold addresses on a network, by network: the host first,
// then routers by name.
type Holders map[string][]Holder

// Holders returns who holds addresses on each network.
func (s *Spec) Holders() Holders {
	all := Holders{}
	for name, n := range sorted(s.Networks) {
		if len(n.Subnets) > 0 {
			all[name] = append(all[name], Holder{Subnets: n.Subnets})
		}
	}
	for name, r := range sorted(s.Routers) {
		for k := range r.Interfaces {
			i := &r.Interfaces[k]
			all[i.Network] = append(all[i.Network], Holder{Router: name, Interface: i, Subnets: i.Gateways()})
		}
	}
	return all
}

// Of returns who leads the connections of a forward to its guest: the router it
// names, or else the host if that holds addresses on the network, or else the only
// router that does. It is false when there is none, or more than one.
func (h Holders) Of(f *Forward) (Holder, bool) {
	list := h[f.Network]
	for _, one := range list {
		if f.Router == one.Router && (f.Router != "" || one.Interface == nil) {
			return one, true
		}
	}
	if f.Router != "" || len(list) != 1 {
		return Holder{}, false
	}
	return list[0], true
}

// eachReservation calls f for every reservation of every network with its path
// and name.
func (c *checker) eachReservation(f func(network, path, host string, s Subnet, r Reservation)) {
	each := func(network, at string, s Subnet) {
		if s.DHCP == nil {
			return
		}
		hosts := Field(Field(at, "dhcp"), "hosts")
		for _, host := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
			f(network, Field(hosts, host), host, s, s.DHCP.Hosts[host])
		}
	}
	for name, n := range sorted(c.spec.Networks) {
		for at, s := range n.servedSubnets(Field("networks", name)) {
			each(name, at, s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.ends)) {
		for _, end := range c.ends[name] {
			for at, s := range end.i.gatewaysAt(end.path) {
				each(name, at, s)
			}
		}
	}
}
