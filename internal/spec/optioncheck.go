package spec

import (
	"maps"
	"slices"
)

// options checks DHCP options of one family.
func (c *checker) options(path string, v6 bool, options map[string]string) {
	first := map[uint16]string{}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		code, _, err := EncodeOption(v6, key, options[key])
		c.addError(Field(path, key), "", err)
		if code == 0 {
			continue
		}
		if other, twice := first[code]; twice {
			c.add(Field(path, key), "remove one of them", "%s and %s are the same option", other, key)
		}
		first[code] = key
	}
}

// networkOptions checks options that hold for the DHCP of all subnets. Where that
// is both families, a name holds for those that have it and that its value fits,
// and a number would mean one thing here and another there.
func (c *checker) networkOptions(path string, n *Network) {
	options := n.DHCP.Options
	v4, v6 := n.hasDHCP(false), n.hasDHCP(true)
	if v4 != v6 {
		c.options(path, v6, options)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		_, _, err4 := EncodeOption(false, key, options[key])
		_, _, err6 := EncodeOption(true, key, options[key])
		switch {
		case v4 && isNumber(key):
			c.add(Field(path, key), "write it by name, or with the subnet", "the number %s is one option in DHCPv4 and another in DHCPv6", key)
		case err4 != nil && err6 != nil:
			c.addError(Field(path, key), "", err4)
		}
	}
}

// hasDHCP reports whether a subnet of the family has DHCP settings.
func (n *Network) hasDHCP(v6 bool) bool {
	return slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.DHCP != nil && s.Address.Addr().Is6() == v6 })
}
