package spec

import (
	"maps"
	"slices"
)

// maxGateways is how many addresses a router may have on one network.
const maxGateways = 64

var egresses = []Egress{EgressNone, EgressRoute, EgressMasquerade, EgressSNAT}

// routerInterface checks the interface of a router at a position.
func (c *checker) routerInterface(path string, r *Router, at int) {
	i := &r.Interfaces[at]
	n := c.routerNetwork(Field(path, "network"), i.Network)
	for _, other := range r.Interfaces[:at] {
		if other.Network == i.Network && i.Network != "" {
			c.add(Field(path, "network"), "give that one more addresses", "the router already has an interface on network %q", i.Network)
			break
		}
	}
	if i.Name != "" {
		c.addError(Field(path, "name"), "remove it to have one made", CheckInterfaceName(i.Name))
	}
	c.routerMAC(Field(path, "mac"), i.MAC)
	c.gatewaysOn(path, i, n)
	c.egress(path, r, i)
	c.traffics(Field(path, "allow"), i.Allow)
	c.bandwidth(Field(path, "bandwidth"), i.Bandwidth)
	c.connections(Field(path, "connections"), i.Connections)
}

// routerNetwork returns the network that a router's interface is on, nil when
// there is none to check against.
func (c *checker) routerNetwork(path, name string) *Network {
	n := c.portNetwork(path, name)
	if n != nil && n.Mode == Bridge {
		c.add(path, "use its bridge for an uplink, or choose mode isolated for the network", "network %q has mode bridge: its guests are hosts of the LAN, and have its router", name)
	}
	return n
}

// gatewaysOn checks the addresses of a router on a network.
func (c *checker) gatewaysOn(path string, i *Interface, n *Network) {
	list, err := i.Address.List()
	if c.addError(Field(path, "address"), "", err) || c.bare(Field(path, "address"), i.Address) || !c.few(Field(path, "subnets"), len(list)+len(i.Subnets), maxGateways) {
		return
	}
	switch {
	case len(list)+len(i.Subnets) == 0:
		c.add(Field(path, "address"), "write the gateway's address and prefix length, for instance 192.168.100.1/24", "the interface has no address")
		return
	case len(list) == 0 && i.DHCP != nil:
		c.add(Field(path, "dhcp"), "add address, or write it with a subnet", "there is no address whose subnet this is for")
	}
	for at, s := range i.gatewaysAt(path) {
		if c.gateway(Field(at, "address"), s.Address) && s.DHCP != nil {
			c.dhcp(Field(at, "dhcp"), s, s.Address.Addr())
		}
		c.slaac(Field(at, "slaac"), s, n == nil || n.advertised())
	}
	for k, p := range list {
		if slices.ContainsFunc(list[:k], p.Overlaps) {
			c.add(Field(path, "address"), "remove it", "%s is in the subnet of another address of the interface", p)
		}
	}
}

// egress checks how a network leaves a router.
func (c *checker) egress(path string, r *Router, i *Interface) {
	ways := slices.Sorted(maps.Keys(r.Ways()))
	switch {
	case i.Egress != "" && !slices.Contains(egresses, i.Egress):
		c.add(Field(path, "egress"), oneOf(string(i.Egress), "ways to leave", texts(egresses)), "%q is not a way to leave", string(i.Egress))
		return
	case i.Egress == "" || i.Egress == EgressNone:
		c.staying(path, i)
		return
	case len(ways) == 0:
		c.add(Field(path, "egress"), "add an uplink to the router, or write egress: none", "the router has no uplink to leave by")
		return
	}
	if i.Uplink != "" && !slices.Contains(ways, i.Uplink) {
		c.add(Field(path, "uplink"), oneOf(i.Uplink, "uplinks", ways), "the router has no uplink %q", i.Uplink)
	}
	if i.KillSwitch && i.Uplink == "" && len(ways) > 1 {
		c.add(Field(path, "killSwitch"), "add uplink: "+orList(ways), "the network may leave by any of several uplinks, which one shall it not leave without?")
	}
	c.snat(path, r, i)
}

// staying refuses what makes sense for a network that leaves only.
func (c *checker) staying(path string, i *Interface) {
	const hint = "remove it, or add egress: masquerade"
	refuse := func(key string, set bool) {
		if set {
			c.add(Field(path, key), hint, "without egress the network does not leave the router")
		}
	}
	refuse("snat", i.SNAT != nil)
	refuse("uplink", i.Uplink != "")
	refuse("killSwitch", i.KillSwitch)
	refuse("allow", len(i.Allow) > 0)
}

// snat checks the source addresses that a network leaves with.
func (c *checker) snat(path string, r *Router, i *Interface) {
	at := Field(path, "snat")
	switch {
	case i.Egress == EgressSNAT && (i.SNAT == nil || i.SNAT.Address.IsZero() && i.SNAT.IPv6.IsZero()):
		c.add(at, "write for instance snat: {address: 192.0.2.5}", "egress snat needs the address to leave with")
		return
	case i.SNAT == nil:
		return
	case i.Egress != EgressSNAT:
		c.add(at, "remove it, or write egress: snat", "egress %s has no use for it", i.Egress)
		return
	}
	c.snatRange(Field(at, "address"), r, i.SNAT.Address, true)
	c.snatRange(Field(at, "ipv6"), r, i.SNAT.IPv6, false)
	if p := i.SNAT.Ports; !p.IsZero() && (p.From == 0 || p.To < p.From) {
		c.add(Field(at, "ports"), "", "%d-%d is not a range of ports", p.From, p.To)
	}
}

func (c *checker) snatRange(path string, r *Router, a AddrRange, v4 bool) {
	switch {
	case a.IsZero():
		return
	case !a.From.IsValid() || !a.To.IsValid():
		c.add(path, "", "the range is missing an address")
		return
	case c.addError(path, "", checkUnicast(a.From)) || c.addError(path, "", checkUnicast(a.To)):
		return
	case a.From.Is4() != v4:
		key := map[bool]string{true: "address", false: "ipv6"}
		c.add(path, "write it as "+key[!v4], "%s is %s", a.From, family(a.From))
		return
	case a.To.Is4() != v4 || a.To.Less(a.From):
		c.add(path, "", "the range %s is not in order", a)
		return
	}
	for _, u := range r.Ways() {
		for _, g := range u.gateways() {
			if a.Contains(g) {
				c.add(path, "leave it out", "%s is the gateway of the router", g)
			}
		}
	}
	c.snatInside(path, r, a)
}

// snatInside refuses addresses of the networks behind the router: answers would
// not come back to it.
func (c *checker) snatInside(path string, r *Router, a AddrRange) {
	for k := range r.Interfaces {
		for _, s := range r.Interfaces[k].Gateways() {
			if inside := s.Address.IsValid() && (s.Address.Contains(a.From) || s.Address.Contains(a.To)); inside {
				c.add(path, "write an address of the uplink's subnet, or one that is routed to it", "%s is in the subnet %s behind the router", shortRange(a), s.Address.Masked())
				return
			}
		}
	}
}
