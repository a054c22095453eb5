package spec

import (
	"net/netip"
	"slices"
)

// longestLease is the most a DHCPv4 lease time can say; all bits set means
// infinite (RFC 2131 section 3.3).
const longestLease = Seconds(1<<32 - 2)

// networkDHCP checks what holds for the DHCP of all subnets of a network.
func (c *checker) networkDHCP(path string, n *Network) {
	d := n.DHCP
	if d == nil {
		return
	}
	c.leaseTime(Field(path, "leaseTime"), d.LeaseTime)
	c.limit(Field(path, "perPort"), d.PerPort, "addresses")
	c.limit(Field(path, "rate"), d.Rate, "requests")
	c.networkOptions(Field(path, "options"), n)
	c.boot(Field(path, "boot"), d.Boot)
}

// leaseTime checks a lease time, which may also stand behind a range.
func (c *checker) leaseTime(path string, d Seconds) {
	if d != Infinite && (d < 0 || d > longestLease) {
		c.add(path, "write infinite for a lease without end", "the lease time %s is outside 1s to %s", d, longestLease)
	}
}

// limit checks a number of which -1 is any and 0 the default.
func (c *checker) limit(path string, n int, what string) {
	if n < -1 {
		c.add(path, "write -1 for no limit", "%d is not a number of %s", n, what)
	}
}

// dhcp checks the DHCP settings of a subnet whose address is valid. The gateway is
// zero where the host has no address there.
func (c *checker) dhcp(path string, s Subnet, gateway netip.Addr) {
	c.leaseTime(Field(path, "leaseTime"), s.DHCP.LeaseTime)
	c.options(Field(path, "options"), s.Address.Addr().Is6(), s.DHCP.Options)
	c.boot(Field(path, "boot"), s.DHCP.Boot)
	c.relays(Field(path, "relays"), s, gateway)
	if Truth(s.DHCP.Enabled) && s.Address.IsSingleIP() {
		c.add(path, "", "%s has no room for guests", s.Address)
		return
	}
	if s.DHCP.Static && len(s.DHCP.Ranges) > 0 {
		c.add(Field(path, "static"), "remove static, or the ranges", "with static only reserved addresses are given, but there are ranges")
	}
	c.ranges(Field(path, "ranges"), s, gateway)
	c.hosts(Field(path, "hosts"), s, gateway)
}

// relays checks the addresses of relay agents.
func (c *checker) relays(path string, s Subnet, gateway netip.Addr) {
	if !c.few(path, len(s.DHCP.Relays), maxAddresses) {
		return
	}
	for i, a := range s.DHCP.Relays {
		p := Index(path, i)
		switch {
		case c.addError(p, "", checkUnicast(a)):
		case a.Is4() != s.Address.Addr().Is4():
			c.add(p, "", "%s is %s, but the subnet %s is %s", a, family(a), s.Address.Masked(), family(s.Address.Addr()))
		case a == gateway:
			c.add(p, "remove it", "%s is the network's own gateway address", a)
		case slices.Contains(s.DHCP.Relays[:i], a):
			c.add(p, "remove it", "%s is listed twice", a)
		}
	}
}

func (c *checker) ranges(path string, s Subnet, gateway netip.Addr) {
	var sound []int
	for i, r := range s.DHCP.Ranges {
		c.leaseTime(Index(path, i), r.LeaseTime)
		if c.addrRange(Index(path, i), r.AddrRange, s.Address.Masked(), gateway) {
			sound = append(sound, i)
		}
	}
	ranges := s.DHCP.Ranges
	slices.SortStableFunc(sound, func(i, j int) int { return ranges[i].From.Compare(ranges[j].From) })
	for k := 1; k < len(sound); k++ {
		before, after := sound[k-1], sound[k]
		if ranges[before].Contains(ranges[after].From) {
			c.add(Index(path, max(before, after)), "", "%s overlaps %s", ranges[max(before, after)].AddrRange, ranges[min(before, after)].AddrRange)
			if ranges[before].Contains(ranges[after].To) {
				sound[k] = before // the longer one goes on
			}
		}
	}
}

// addrRange checks one range and tells whether it can be compared with others.
func (c *checker) addrRange(path string, r AddrRange, subnet netip.Prefix, gateway netip.Addr) bool {
	switch {
	case !r.From.IsValid() || !r.To.IsValid():
		c.add(path, "", "the range is missing an address")
	case c.addError(path, "", checkUnicast(r.From)) || c.addError(path, "", checkUnicast(r.To)):
	case r.From.Is4() != r.To.Is4() || r.To.Less(r.From):
		c.add(path, "", "the range %s is not in order", r)
	case r.From.Is4() != subnet.Addr().Is4():
		c.add(path, "", "%s is %s, but the subnet %s is %s", r, family(r.From), subnet, family(subnet.Addr()))
	case !subnet.Contains(r.From) || !subnet.Contains(r.To):
		c.add(path, "", "%s is not inside the subnet %s", r, subnet)
	case gateway.IsValid() && r.Contains(gateway):
		c.add(path, "leave it out", "%s contains the gateway address %s", r, gateway)
	default:
		if !c.addError(path, "leave it out", checkHostPart(subnet, r.From)) {
			c.addError(path, "leave it out", checkHostPart(subnet, r.To))
		}
		return true
	}
	return false
}
