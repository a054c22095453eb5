package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// segments checks routers against whom they meet on networks and bridges: subnets,
// addresses, and who gives addresses.
func (c *checker) segments() {
	for name := range sorted(c.spec.Networks) {
		if len(c.ends[name]) > 0 {
			c.sharedSubnets(name)
			c.servers(name)
		}
	}
	c.neighbours()
}

// end is a subnet on a network, of the host or of a router.
type end struct {
	subnet            netip.Prefix
	router, path, who string
}

func (c *checker) subnetEnds(network string) []end {
	var list []end
	add := func(p netip.Prefix, router, path, who string) {
		if soundPrefix(p) {
			list = append(list, end{p, router, Field(path, "address"), who})
		}
	}
	owner := Field("networks", network)
	for i, s := range c.spec.Networks[network].Subnets {
		add(s.Address, "", Index(Field(owner, "subnets"), i), fmt.Sprintf("network %q itself", network))
	}
	for _, e := range c.ends[network] {
		for at, s := range e.i.gatewaysAt(e.path) {
			add(s.Address, e.router, at, e.who())
		}
	}
	return list
}

// sharedSubnets reports subnets of several on one network that share addresses.
// Routers may have different addresses in the very same subnet.
func (c *checker) sharedSubnets(network string) {
	list := c.subnetEnds(network)
	slices.SortStableFunc(list, func(a, b end) int {
		return cmp.Or(a.subnet.Masked().Addr().Compare(b.subnet.Masked().Addr()), cmp.Compare(a.subnet.Bits(), b.subnet.Bits()))
	})
	var around []end // subnets that contain the present one, the widest first
	for _, e := range list {
		around = slices.DeleteFunc(around, func(o end) bool { return !o.subnet.Contains(e.subnet.Masked().Addr()) })
		for _, o := range around {
			if o.router != e.router && !(o.router != "" && e.router != "" && o.subnet.Masked() == e.subnet.Masked()) {
				c.sharedSubnet(e, o)
				c.sharedSubnet(o, e)
				break
			}
		}
		around = append(around, e)
	}
}

func (c *checker) sharedSubnet(mine, other end) {
	hint := "give one of them another prefix"
	if mine.router == "" || other.router == "" {
		hint = "leave the guests one gateway: remove the network's subnet, or the router's interface"
	}
	c.add(mine.path, hint, "%s overlaps %s of %s", mine.subnet, other.subnet, other.who)
}

// servers reports networks on which more than one gives addresses by DHCP.
func (c *checker) servers(network string) {
	var claims []claim
	for at, s := range c.spec.Networks[network].servedSubnets(Field("networks", network)) {
		if Truth(s.DHCP.Enabled) && len(claims) == 0 {
			claims = append(claims, claim{path: Field(at, "dhcp"), who: "the host"})
		}
	}
	for _, e := range c.ends[network] {
		for at, s := range e.i.gatewaysAt(e.path) {
			if s.DHCP != nil && Truth(s.DHCP.Enabled) {
				claims = append(claims, claim{path: Field(at, "dhcp"), who: e.who()})
				break
			}
		}
	}
	for i, mine := range claims {
		if len(claims) > 1 {
			c.add(mine.path, "leave one of them", "%s gives addresses on network %q, too", claims[(i+1)%len(claims)].who, network)
		}
	}
}

// spot is an address on a segment: a bridge, a network or a NIC.
type spot struct {
	segment string
	addr    netip.Addr
}

// segment names what an uplink is plugged into, "" for a link of its own.
func (c *checker) segment(u *Uplink) string {
	switch n := c.spec.Networks[u.Network]; {
	case u.Bridge != "":
		return "bridge/" + u.Bridge
	case u.NIC != "":
		return "nic/" + u.NIC
	case n != nil && n.Mode == Bridge && n.Direct == nil:
		return "bridge/" + n.Bridge.Name
	case u.Network != "":
		return "network/" + u.Network
	}
	return ""
}

// neighbours reports addresses of routers that somebody else on the same segment
// has.
func (c *checker) neighbours() {
	routers, others := c.routerSpots(), map[spot][]claim{}
	if len(routers) == 0 {
		return
	}
	add := func(segment string, a netip.Addr, path, who string) {
		if s := (spot{segment, a}); len(routers[s]) > 0 && a.IsValid() {
			others[s] = append(others[s], claim{path: path, who: who})
		}
	}
	c.otherSpots(add)
	for s, list := range routers {
		if list = append(list, others[s]...); len(list) > 1 {
			c.clash(list, fmt.Sprintf("the address %s", s.addr))
		}
	}
}

// routerSpots are the addresses that routers hold.
func (c *checker) routerSpots() map[spot][]claim {
	spots := map[spot][]claim{}
	for name, r := range sorted(c.spec.Routers) {
		who := fmt.Sprintf("router %q", name)
		r.eachWay(Field("routers", name), func(path, _ string, u *Uplink) {
			addresses, _ := u.Address.List()
			for i, p := range addresses {
				s := spot{c.segment(u), p.Addr()}
				twice := slices.ContainsFunc(addresses[:i], func(q netip.Prefix) bool { return q.Addr() == p.Addr() })
				if s.segment != "" && !twice {
					spots[s] = append(spots[s], claim{path: Field(path, "address"), who: who})
				}
			}
		})
	}
	for network, ends := range c.ends {
		for _, e := range ends {
			seen := map[netip.Addr]bool{}
			for at, g := range e.i.gatewaysAt(e.path) {
				if a := g.Address.Addr(); a.IsValid() && !seen[a] {
					seen[a] = true
					s := spot{"network/" + network, a}
					spots[s] = append(spots[s], claim{path: Field(at, "address"), who: e.who()})
				}
			}
		}
	}
	return spots
}

// otherSpots adds the addresses of all others. What guests' ports and reservations
// say of their own gateway is told elsewhere.
func (c *checker) otherSpots(add func(segment string, a netip.Addr, path, who string)) {
	for name, n := range sorted(c.spec.Networks) {
		for i, s := range n.Subnets {
			add("network/"+name, s.Address.Addr(), Field(Index(Field(Field("networks", name), "subnets"), i), "address"), fmt.Sprintf("network %q", name))
		}
	}
	for name, b := range sorted(c.spec.Bridges) {
		for i, p := range b.Addresses {
			add("bridge/"+name, p.Addr(), Index(Field(Field("bridges", name), "addresses"), i), fmt.Sprintf("bridge %q", name))
		}
	}
	for name, p := range sorted(c.spec.Ports) {
		for i, a := range p.Addresses[:min(len(p.Addresses), maxAddresses)] {
			add("network/"+p.Network, a, Index(Field(Field("ports", name), "addresses"), i), fmt.Sprintf("port %q", name))
		}
	}
	c.eachReservation(func(network, path, host string, s Subnet, r Reservation) {
		if r.IP != s.Address.Addr() {
			add("network/"+network, r.IP, Field(path, "ip"), fmt.Sprintf("the reservation for %q", host))
		}
	})
}
