package spec

import (
	"maps"
	"net/netip"
	"slices"
)

// dns checks the DNS settings of a network.
func (c *checker) dns(path string, n *Network) {
	d := n.DNS
	if d == nil {
		return
	}
	if d.Domain != "" {
		c.addError(Field(path, "domain"), "", checkHostName(d.Domain))
	} else if d.LocalOnly {
		c.add(Field(path, "localOnly"), "add domain", "localOnly needs a domain that is local")
	}
	for _, name := range slices.Sorted(maps.Keys(d.Hosts)) {
		p := Field(Field(path, "hosts"), name)
		c.addError(p, "", checkHostName(name))
		c.addError(p, "", checkAnswer(d.Hosts[name]))
	}
	c.forwarders(Field(path, "forwarders"), n)
}

// checkAnswer accepts what a name may stand for: any address but those with a
// scope of their own, and the unspecified one, by which people block names.
func checkAnswer(a netip.Addr) error {
	if a.IsValid() && (a == netip.IPv4Unspecified() || a == netip.IPv6Unspecified()) {
		return nil
	}
	if a.IsLoopback() && !a.Is4In6() && a.Zone() == "" {
		return nil
	}
	return checkUnicast(a)
}

func (c *checker) forwarders(path string, n *Network) {
	first := map[netip.Addr]bool{}
	for i, a := range n.DNS.Forwarders {
		p := Index(path, i)
		own := slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return a.IsValid() && s.Address.Addr() == a })
		switch {
		case first[a]:
			c.add(p, "remove it", "%s is listed twice", a)
		case own:
			c.add(p, "name a server elsewhere", "%s is the network's own gateway, queries would run in a circle", a)
		case a.IsLoopback() && !a.Is4In6() && a.Zone() == "": // the host's own resolver
		default:
			c.addError(p, "", checkUnicast(a))
		}
		first[a] = true
	}
}
