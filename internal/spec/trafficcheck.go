package spec

import (
	"net/netip"
	"slices"
)

// maxTraffics is how many kinds of connections one list may name.
const maxTraffics = 64

// maxPrefixes is how many addresses a set, or one kind of connections, may name.
const maxPrefixes = 65536

var protocols = []Protocol{TCP, UDP, SCTP, ICMP}

// traffics checks a list of kinds of connections.
func (c *checker) traffics(path string, list []Traffic) {
	if !c.few(path, len(list), maxTraffics) {
		return
	}
	for i, t := range list {
		p := Index(path, i)
		if slices.Contains(list[:i], t) {
			c.add(p, "remove it", "the same is listed twice")
		}
		c.traffic(p, t)
	}
}

func (c *checker) traffic(path string, t Traffic) {
	switch {
	case t.Protocol != "" && !slices.Contains(protocols, t.Protocol):
		c.add(Field(path, "protocol"), oneOf(string(t.Protocol), "protocols", texts(protocols)), "%q is not a protocol that policies know", string(t.Protocol))
	case t.Protocol == ICMP && t.Ports != "":
		c.add(Field(path, "ports"), "remove them, or write protocol: tcp", "icmp has no ports")
	}
	c.portRanges(Field(path, "ports"), t.Ports)
	if t.To != "" {
		c.prefixList(Field(path, "to"), t.To)
	}
}

// portRanges checks a list of ports; none is all of them.
func (c *checker) portRanges(path string, ports PortRanges) {
	if ports == "" {
		return
	}
	list, err := ports.List()
	switch {
	case c.addError(path, "", err) || !c.few(path, len(list), maxAddresses):
		return
	case len(list) == 0:
		c.add(path, "remove it for all ports", "the ports are missing")
	}
	for i, r := range list {
		if j := slices.IndexFunc(list[:i], r.Overlaps); j >= 0 {
			c.add(path, "write each port once", "%s overlaps %s", r, list[j])
		}
	}
}

// prefixList checks addresses and prefixes that packets may come from or go to.
func (c *checker) prefixList(path string, prefixes Prefixes) {
	list, err := prefixes.List()
	switch {
	case c.addError(path, "", err) || !c.few(path, len(list), maxPrefixes):
		return
	case len(list) == 0:
		c.add(path, "write for instance 192.0.2.0/24", "the addresses are missing")
	}
	first := map[netip.Prefix]bool{}
	for _, p := range list {
		if !c.addError(path, "", checkPrefix(p)) && first[p] {
			c.add(path, "remove one of them", "%s is listed twice", printPrefix(p))
		}
		first[p] = true
	}
}

// checkPrefix accepts a prefix that can be written into a rule.
func checkPrefix(p netip.Prefix) error {
	switch {
	case p.Addr().Is4In6():
		return advise("write it as IPv4", "%s is an IPv4 prefix written as IPv6", p)
	case p.Addr().Zone() != "":
		return advise("remove the zone", "%s has a zone", p)
	case p != p.Masked():
		return advise("write "+p.Masked().String(), "%s has bits set after its first %d", p, p.Bits())
	}
	return nil
}
