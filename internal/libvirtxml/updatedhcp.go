package libvirtxml

import "slices"

// serves reports whether the subnet has DHCP, by what libvirt takes for a sign.
func (ip *IP) serves() bool {
	return ip.DHCP != nil && len(ip.DHCP.Ranges)+len(ip.DHCP.Hosts) > 0
}

// is6 reports whether the subnet is one of IPv6.
func (ip *IP) is6() bool { return addressOf(ip.Address).Is6() }

// subnet finds which <ip> is meant: that of the index, or else the first that has DHCP
// already, the first of IPv4, the first of IPv6.
func (c *change) subnet() (int, error) {
	what := "dhcp host" // libvirt says so for ranges, too
	if c.section.place != nil {
		what = c.section.element
	}
	if c.parent >= 0 {
		if c.parent < len(c.IPs) {
			return c.parent, nil
		}
		return 0, c.invalid("couldn't update %s entry - no <ip> element found at index %d in network '%s'", what, c.parent, c.Name)
	}
	for _, fits := range []func(IP) bool{
		func(ip IP) bool { return ip.serves() },
		func(ip IP) bool { return !ip.is6() },
		func(IP) bool { return true },
	} {
		if i := slices.IndexFunc(c.IPs, fits); i >= 0 {
			return i, nil
		}
	}
	return 0, c.invalid("couldn't update %s entry - no <ip> element found in network '%s'", what, c.Name)
}

// served is the subnet whose DHCP is meant. That the element is another one libvirt
// tells before it tells that there is no such subnet.
func (c *change) served() (*IP, error) {
	i, missing := c.subnet()
	if err := c.expect(); err != nil {
		return nil, err
	}
	if missing != nil {
		return nil, missing
	}
	return &c.IPs[i], nil
}

// only refuses DHCP on a second subnet of a family.
func (c *change) only(ip *IP) error {
	for i := range c.IPs {
		if other := &c.IPs[i]; other != ip && other.is6() == ip.is6() && other.serves() {
			family := "IPv4"
			if ip.is6() {
				family = "IPv6"
			}
			return c.invalid("dhcp is supported only for a single %s address on each network", family)
		}
	}
	return nil
}

// dhcpHost updates the reservations of a subnet.
func (c *change) dhcpHost() error {
	ip, err := c.served()
	if err != nil {
		return err
	}
	h, err := c.decoder().dhcpHost(c.node, *ip)
	if err != nil {
		return err
	}
	if c.command != remove && addressOf(h.IP).Is6() != ip.is6() {
		return c.invalid("the address family of a host entry IP must match the address family of the dhcp element's parent")
	}
	dhcp := filled(&ip.DHCP)
	switch c.command {
	case modify:
		return c.modifyHost(dhcp, h)
	case remove:
		return c.deleteHost(dhcp, h)
	}
	return c.addHost(ip, h)
}

func (c *change) addHost(ip *IP, h Host) error {
	if err := c.only(ip); err != nil {
		return err
	}
	if slices.ContainsFunc(ip.DHCP.Hosts, h.shares) {
		return c.invalid("there is an existing dhcp host entry in network '%s' that matches \"<host mac='%s' name='%s' ip='%s'/>\"", c.Name, or(h.MAC, "unknown"), or(h.Name, "(null)"), or(h.IP, "unknown"))
	}
	ip.DHCP.Hosts = put(c.command, ip.DHCP.Hosts, h)
	return nil
}

func (c *change) modifyHost(dhcp *DHCP, h Host) error {
	i := slices.IndexFunc(dhcp.Hosts, h.shares)
	if i < 0 {
		return c.invalid("couldn't locate an existing dhcp host entry with \"mac='%s'\" \"name='%s'\" \"ip='%s'\" in network '%s'", or(h.MAC, "unknown"), or(h.Name, "(null)"), or(h.IP, "unknown"), c.Name)
	}
	dhcp.Hosts[i] = h
	return nil
}

// deleteHost deletes the entry that has all of what is written. Libvirt takes an
// entry without a MAC for one with any, and forgets the id, and so deletes the wrong
// one.
func (c *change) deleteHost(dhcp *DHCP, h Host) error {
	i := slices.IndexFunc(dhcp.Hosts, func(old Host) bool {
		return (h.MAC == "" || sameMAC(h.MAC, old.MAC)) && (h.ID == "" || h.ID == old.ID) &&
			(h.Name == "" || h.Name == old.Name) && (h.IP == "" || sameAddress(h.IP, old.IP))
	})
	if i < 0 {
		return c.invalid("couldn't locate a matching dhcp host entry in network '%s'", c.Name)
	}
	dhcp.Hosts = slices.Delete(dhcp.Hosts, i, i+1)
	return nil
}

// shares reports whether two entries have a MAC, a name or an address in common.
func (h Host) shares(old Host) bool {
	return h.MAC != "" && sameMAC(h.MAC, old.MAC) || h.Name != "" && h.Name == old.Name || h.IP != "" && sameAddress(h.IP, old.IP)
}

func sameMAC(a, b string) bool {
	x, ok := parseMAC(a)
	y, also := parseMAC(b)
	return ok && also && x == y
}

func sameAddress(a, b string) bool {
	x, ok := parseAddress(a)
	y, also := parseAddress(b)
	return ok && also && x == y
}

// or is a word for what is not there.
func or(s, word string) string {
	if s == "" {
		return word
	}
	return s
}

// dhcpRange updates the ranges of a subnet, which libvirt does not modify.
func (c *change) dhcpRange() error {
	ip, err := c.served()
	if err != nil {
		return err
	}
	if c.command == modify {
		return c.refused("dhcp ranges cannot be modified, only added or deleted")
	}
	r, err := c.decoder().dhcpRange(c.node, *ip)
	if err != nil {
		return err
	}
	if addressOf(r.Start).Is6() != ip.is6() {
		return c.invalid("the address family of a dhcp range must match the address family of the dhcp element's parent")
	}
	dhcp := filled(&ip.DHCP)
	i := slices.IndexFunc(dhcp.Ranges, func(old Range) bool {
		return sameAddress(r.Start, old.Start) && sameAddress(r.End, old.End)
	})
	if c.command == remove {
		return c.deleteRange(dhcp, i)
	}
	return c.addRange(ip, r, i >= 0)
}

func (c *change) deleteRange(dhcp *DHCP, i int) error {
	if i < 0 {
		return c.invalid("couldn't locate a matching dhcp range entry in network '%s'", c.Name)
	}
	dhcp.Ranges = slices.Delete(dhcp.Ranges, i, i+1)
	return nil
}

func (c *change) addRange(ip *IP, r Range, there bool) error {
	if err := c.only(ip); err != nil {
		return err
	}
	if there {
		return c.invalid("there is an existing dhcp range entry in network '%s' that matches \"<range start='%s' end='%s'/>\"", c.Name, r.Start, r.End)
	}
	ip.DHCP.Ranges = put(c.command, ip.DHCP.Ranges, r)
	return nil
}
