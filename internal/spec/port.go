package spec

import (
	"cmp"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// port checks one port by itself and against its network.
func (c *checker) port(path, name string, p *Port) {
	c.addError(path, "", CheckName(name))
	c.portType(path, p)
	if p.Interface != "" {
		c.addError(Field(path, "interface"), "remove it to have one made", CheckInterfaceName(p.Interface))
	}
	if p.MAC.IsMulticast() {
		c.add(Field(path, "mac"), "clear the lowest bit of the first byte", "%s is a multicast address, no guest can have it", p.MAC)
	}
	n := c.whole(p.Network, c.portNetwork(Field(path, "network"), p.Network))
	c.portLimits(path, p, n)
	c.directPort(path, p, n)
	if !c.few(Field(path, "addresses"), len(p.Addresses), maxAddresses) {
		return
	}
	for i, a := range p.Addresses {
		c.portAddress(Index(Field(path, "addresses"), i), a, n)
		if slices.Contains(p.Addresses[:i], a) {
			c.add(Index(Field(path, "addresses"), i), "remove it", "%s is listed twice", a)
		}
	}
}

var portTypes = []PortType{Tap, Veth, Macvtap}

func (c *checker) portType(path string, p *Port) {
	switch p.Type {
	case "", Tap, Macvtap:
		if p.Peer != "" {
			c.add(Field(path, "peer"), "add type: veth or remove it", "a %s has no other end", cmp.Or(p.Type, Tap))
		}
	case Veth:
		if p.Peer != "" {
			c.addError(Field(path, "peer"), "remove it to have one made", CheckInterfaceName(p.Peer))
		}
		if p.Owner != "" {
			c.add(Field(path, "owner"), "remove it", "a veth has no owner, only a tap is opened by a process")
		}
	default:
		c.add(Field(path, "type"), oneOf(string(p.Type), "types", texts(portTypes)), "%q is not a type of port", string(p.Type))
	}
	if i := strings.IndexFunc(p.Owner, notInAccount); i >= 0 {
		c.add(Field(path, "owner"), "", "%q is neither a user name nor a number", p.Owner)
	}
}

// portNetwork returns the network of a port, nil when there is none to check
// against.
func (c *checker) portNetwork(path, name string) *Network {
	if name == "" {
		c.add(path, "", "the network is missing")
		return nil
	}
	return known(c, path, "network", name, c.spec.Networks)
}

// known returns the object that another one names, nil when it is not there.
func known[T any](c *checker, path, what, name string, objects map[string]*T) *T {
	if object, ok := objects[name]; ok {
		return object
	}
	hint := ""
	if near := Nearest(name, slices.Sorted(maps.Keys(objects))); near != "" {
		hint = "did you mean " + near + "?"
	}
	c.refer(path, hint, "there is no %s %q", what, name)
	return nil
}

// portAddress checks a guest's fixed address. Where the network has no subnets
// the guests' addresses are their own affair.
func (c *checker) portAddress(path string, a netip.Addr, n *Network) {
	if c.addError(path, "", checkUnicast(a)) || n == nil || n.Mode == Bridge || len(n.Subnets) == 0 || len(n.Subnets) > maxSubnets {
		return
	}
	c.guestAddress(path, a, n.Subnets)
}

// guest is an address on a network.
type guest struct {
	network string
	ip      netip.Addr
}

// guestAddresses reports ports of one network that claim the same address, and
// ports and reservations that contradict each other.
func (c *checker) guestAddresses() {
	users, byMAC := map[guest][]string{}, map[MAC]string{}
	for name, p := range sorted(c.spec.Ports) {
		for _, a := range p.Addresses[:min(len(p.Addresses), maxAddresses)] {
			g := guest{p.Network, a}
			users[g] = append(users[g], name)
		}
		if !p.MAC.IsZero() {
			byMAC[p.MAC] = name
		}
	}
	for g, names := range users {
		names = slices.Compact(names)
		for i, name := range names {
			if len(names) > 1 && g.ip.IsValid() {
				k := slices.Index(c.spec.Ports[name].Addresses, g.ip)
				c.add(Index(Field(Field("ports", name), "addresses"), k), "", "port %q has the address %s, too", names[(i+1)%len(names)], g.ip)
			}
		}
	}
	c.eachReservation(func(network, path, host string, s Subnet, r Reservation) {
		c.reservedFor(Field(path, "ip"), host, r, users[guest{network, r.IP}])
		c.reservedElsewhere(Field(path, "ip"), network, host, s, r, byMAC)
	})
}

// reservedFor reports an address that is reserved for one and is another port's.
func (c *checker) reservedFor(path, host string, r Reservation, ports []string) {
	for _, port := range slices.Compact(ports) {
		mac := c.spec.Ports[port].MAC
		switch {
		case !mac.IsZero() && !r.MAC.IsZero() && mac != r.MAC:
			c.add(path, "", "%s is the address of port %q, whose MAC is %s", r.IP, port, mac)
		case r.ByName() && port != host:
			c.add(path, "", "%s is the address of port %q", r.IP, port)
		}
	}
}

// reservedElsewhere reports a reservation for a port that has another address.
func (c *checker) reservedElsewhere(path, network, host string, s Subnet, r Reservation, byMAC map[MAC]string) {
	name, which := byMAC[r.MAC], ", whose MAC is "+r.MAC.String()
	if r.ByName() {
		name, which = host, ""
	}
	port := c.spec.Ports[name]
	if port != nil && port.Network == network && port.contradicts(s.Address, r.IP) {
		c.add(path, "reserve the address the port has", "%s is not an address of port %q%s", r.IP, name, which)
	}
}

// contradicts reports whether the port has fixed addresses in a subnet and the
// reserved one is not among them.
func (p *Port) contradicts(subnet netip.Prefix, ip netip.Addr) bool {
	return !slices.Contains(p.Addresses, ip) && slices.ContainsFunc(p.Addresses, subnet.Contains)
}

// servedSubnets yields the subnets with DHCP, those behind routes too, with their
// paths.
func (n *Network) servedSubnets(path string) iter.Seq2[string, Subnet] {
	return func(yield func(string, Subnet) bool) {
		for i, s := range n.Subnets {
			if s.DHCP != nil && !yield(Index(Field(path, "subnets"), i), s) {
				return
			}
		}
		for i, r := range n.Routes {
			if r.DHCP != nil && !yield(Index(Field(path, "routes"), i), r.Subnet()) {
				return
			}
		}
	}
}
