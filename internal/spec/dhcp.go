package spec

import (
	"maps"
	"net/netip"
	"slices"
)

// longestLease is the most a DHCPv4 lease time can say; all bits set means
// infinite (RFC 2131 section 3.3).
const longestLease = Seconds(1<<32 - 2)

// dhcp checks the DHCP settings of a subnet whose address is valid.
func (c *checker) dhcp(path string, s Subnet) {
	if d := s.DHCP.LeaseTime; d != Infinite && (d < 0 || d > longestLease) {
		c.add(Field(path, "leaseTime"), "write infinite for a lease without end", "the lease time %s is outside 1s to %s", d, longestLease)
	}
	if Truth(s.DHCP.Enabled) && s.Address.IsSingleIP() {
		c.add(path, "", "%s has no room for guests", s.Address)
		return
	}
	c.ranges(Field(path, "ranges"), s)
	c.hosts(Field(path, "hosts"), s)
}

func (c *checker) ranges(path string, s Subnet) {
	var sound []int
	for i, r := range s.DHCP.Ranges {
		if c.addrRange(Index(path, i), r, s.Address) {
			sound = append(sound, i)
		}
	}
	ranges := s.DHCP.Ranges
	slices.SortStableFunc(sound, func(i, j int) int { return ranges[i].From.Compare(ranges[j].From) })
	for k := 1; k < len(sound); k++ {
		before, after := sound[k-1], sound[k]
		if ranges[before].Contains(ranges[after].From) {
			c.add(Index(path, max(before, after)), "", "%s overlaps %s", ranges[max(before, after)], ranges[min(before, after)])
			if ranges[before].Contains(ranges[after].To) {
				sound[k] = before // the longer one goes on
			}
		}
	}
}

// addrRange checks one range and tells whether it can be compared with others.
func (c *checker) addrRange(path string, r AddrRange, gateway netip.Prefix) bool {
	subnet := gateway.Masked()
	switch {
	case !r.From.IsValid() || !r.To.IsValid():
		c.add(path, "", "the range is missing an address")
	case c.addError(path, "", checkUnicast(r.From)) || c.addError(path, "", checkUnicast(r.To)):
	case r.From.Is4() != r.To.Is4() || r.To.Less(r.From):
		c.add(path, "", "the range %s is not in order", r)
	case r.From.Is4() != gateway.Addr().Is4():
		c.add(path, "", "%s is %s, but the subnet %s is %s", r, family(r.From), subnet, family(subnet.Addr()))
	case !subnet.Contains(r.From) || !subnet.Contains(r.To):
		c.add(path, "", "%s is not inside the subnet %s", r, subnet)
	case r.Contains(gateway.Addr()):
		c.add(path, "leave it out", "%s contains the gateway address %s", r, gateway.Addr())
	default:
		if !c.addError(path, "leave it out", checkHostPart(gateway, r.From)) {
			c.addError(path, "leave it out", checkHostPart(gateway, r.To))
		}
		return true
	}
	return false
}

// hosts checks the reservations of a subnet.
func (c *checker) hosts(path string, s Subnet) {
	ips, macs, ids := map[netip.Addr]string{}, map[MAC]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
		p, r := Field(path, name), s.DHCP.Hosts[name]
		c.addError(p, "", checkHostName(name))
		c.reservation(p, r, s.Address)
		once(c, Field(p, "ip"), ips, r.IP, r.IP.IsValid(), name)
		once(c, Field(p, "mac"), macs, r.MAC, !r.MAC.IsZero(), name)
		once(c, Field(p, "clientID"), ids, r.ClientID, r.ClientID != "", name)
	}
}

// once reports a value that an earlier reservation already has.
func once[T comparable](c *checker, path string, users map[T]string, value T, set bool, name string) {
	if first, ok := users[value]; ok && set {
		c.add(path, "", "%v is already reserved for %q", value, first)
		return
	}
	users[value] = name
}

func (c *checker) reservation(path string, r Reservation, gateway netip.Prefix) {
	if r.MAC.IsZero() && r.ClientID == "" {
		c.add(Field(path, "mac"), "add mac or clientID", "the reservation does not say for whom it is")
	}
	if r.MAC.IsMulticast() {
		c.add(Field(path, "mac"), "", "%s is a multicast address, no guest can have it", r.MAC)
	}
	c.addError(Field(path, "clientID"), "", checkLine(r.ClientID))
	ip, subnet := Field(path, "ip"), gateway.Masked()
	switch {
	case c.addError(ip, "", checkUnicast(r.IP)):
	case !subnet.Contains(r.IP):
		c.add(ip, "", "%s is not inside the subnet %s", r.IP, subnet)
	case r.IP == gateway.Addr():
		c.add(ip, "", "%s is the network's own gateway address", r.IP)
	default:
		c.addError(ip, "", checkHostPart(gateway, r.IP))
	}
}
