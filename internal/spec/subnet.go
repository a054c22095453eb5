package spec

import (
	"fmt"
	"net/netip"
)

// subnets checks each subnet by itself.
func (c *checker) subnets(path string, subnets []Subnet) {
	for i, s := range subnets {
		p := Index(path, i)
		if c.gateway(Field(p, "address"), s.Address) && s.DHCP != nil {
			c.dhcp(Field(p, "dhcp"), s, s.Address.Addr())
		}
	}
}

// gateway checks the address and prefix that the host holds on a network.
func (c *checker) gateway(path string, p netip.Prefix) bool {
	if !p.IsValid() {
		c.add(path, "write the gateway's address and prefix length, for instance 192.168.100.1/24", "the address is missing")
		return false
	}
	if c.addError(path, "", checkUnicast(p.Addr())) || c.addError(path, "", checkNotLinkLocal(p.Addr())) {
		return false
	}
	if shortest := shortestPrefix(p.Addr()); p.Bits() < shortest {
		c.add(path, fmt.Sprintf("use /%d or longer", shortest), "the prefix length %d is too short for one network", p.Bits())
		return false
	}
	hint := "write the gateway's own address, for instance " + netip.PrefixFrom(p.Masked().Addr().Next(), p.Bits()).String()
	c.addError(path, hint, checkHostPart(p, p.Addr()))
	return true
}

// shortestPrefix is the largest network one can want: 10.0.0.0/8, or what an
// IPv6 registry hands to a provider.
func shortestPrefix(a netip.Addr) int {
	if a.Is4() {
		return 8
	}
	return 16
}

// routes checks the static routes of a network by themselves.
func (c *checker) routes(path string, n *Network) {
	for i, r := range n.Routes {
		p := Index(path, i)
		c.routeTo(Field(p, "to"), r.To, n.Subnets)
		c.routeVia(Field(p, "via"), r, n.Subnets)
		if r.Metric < 0 || int64(r.Metric) > 1<<32-1 {
			c.add(Field(p, "metric"), "", "the metric %d is outside 0 to 4294967295", r.Metric)
		}
		if r.DHCP != nil && r.To.IsValid() {
			c.dhcp(Field(p, "dhcp"), r.Subnet(), netip.Addr{})
		}
	}
}

func (c *checker) routeTo(path string, to netip.Prefix, subnets []Subnet) {
	switch {
	case !to.IsValid():
		c.add(path, "write a prefix such as 10.20.0.0/16", "the prefix is missing")
	case to.Addr().Is4In6():
		c.add(path, "", "%s is an IPv4 prefix written as IPv6", to)
	case to != to.Masked():
		c.add(path, "write "+to.Masked().String(), "%s has bits set after its first %d", to, to.Bits())
	case to.Addr().IsMulticast() || to.Addr().IsLoopback() || to.Addr().IsLinkLocalUnicast():
		c.add(path, "", "%s is not a prefix that hosts can have", to)
	default:
		for _, s := range subnets {
			if s.Address.IsValid() && s.Address.Overlaps(to) {
				c.add(path, "", "%s overlaps the network's own subnet %s", to, s.Address.Masked())
				return
			}
		}
	}
}

func (c *checker) routeVia(path string, r StaticRoute, subnets []Subnet) {
	if !r.Via.IsValid() {
		c.add(path, "write the guest's address", "the address of the guest that forwards is missing")
		return
	}
	if c.addError(path, "", checkUnicast(r.Via)) {
		return
	}
	if r.To.IsValid() && r.To.Addr().Is4() != r.Via.Is4() {
		c.add(path, "", "%s is %s, but %s is %s", r.Via, family(r.Via), r.To, family(r.To.Addr()))
		return
	}
	c.guestAddress(path, r.Via, subnets)
}

// guestAddress checks that a guest can have an address in one of the subnets.
// With a subnet at fault there is nothing to compare with.
func (c *checker) guestAddress(path string, a netip.Addr, subnets []Subnet) {
	for _, s := range subnets {
		switch {
		case !s.Address.IsValid():
			return
		case s.Address.Addr() == a:
			c.add(path, "", "%s is the network's own gateway address", a)
			return
		case s.Address.Contains(a):
			c.addError(path, "", checkHostPart(s.Address, a))
			return
		}
	}
	if len(subnets) == 0 {
		c.add(path, "", "%s is not in a subnet of the network, which has none", a)
		return
	}
	c.add(path, "", "%s is in no subnet of the network (%s)", a, subnetList(subnets))
}

func subnetList(subnets []Subnet) string {
	text := ""
	for i, s := range subnets {
		switch {
		case i == 4:
			return text + ", …"
		case i > 0:
			text += ", "
		}
		text += s.Address.Masked().String()
	}
	return text
}
