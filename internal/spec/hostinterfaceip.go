package spec

import (
	"net/netip"
	"slices"
)

// interfaceIP checks one family of an interface.
func (c *checker) interfaceIP(path string, ip *InterfaceIP, v4 bool) {
	if ip == nil {
		return
	}
	if v4 && ip.Autoconf {
		c.add(Field(path, "autoconf"), "write it below ipv6", "addresses by router advertisements are of IPv6")
	}
	if ip.PeerDNS != nil && !ip.DHCP {
		c.add(Field(path, "peerDNS"), "add dhcp: true, or remove it", "without DHCP nobody tells resolvers")
	}
	if !c.few(Field(path, "addresses"), len(ip.Addresses), maxAddresses) || !c.few(Field(path, "routes"), len(ip.Routes), maxInterfaceRoutes) ||
		!c.few(Field(path, "dns"), len(ip.DNS), maxAddresses) || !c.few(Field(path, "search"), len(ip.Search), maxAddresses) {
		return
	}
	for k, p := range ip.Addresses {
		at := Index(Field(path, "addresses"), k)
		if c.ofFamily(at, p.Addr(), v4) {
			c.hostAddress(at, p, ip.Addresses[:k])
		}
	}
	for k := range ip.Routes {
		c.interfaceRoute(Index(Field(path, "routes"), k), ip, k, v4)
	}
	c.interfaceDNS(path, ip, v4)
}

// maxInterfaceRoutes is how many routes one interface may have in its definition.
const maxInterfaceRoutes = 4096

// ofFamily checks the family of an address that is there.
func (c *checker) ofFamily(path string, a netip.Addr, v4 bool) bool {
	if a.IsValid() && !a.Is4In6() && a.Is4() != v4 {
		c.add(path, "write it below "+map[bool]string{true: "ipv4", false: "ipv6"}[a.Is4()], "%s is %s", a, family(a))
		return false
	}
	return true
}

// interfaceRoute checks a route and where it leads.
func (c *checker) interfaceRoute(path string, ip *InterfaceIP, at int, v4 bool) {
	r := &ip.Routes[at]
	switch {
	case !r.To.IsValid():
		c.add(Field(path, "to"), "write a prefix, for the default route "+defaultRoute(v4).String(), "the route leads nowhere")
		return
	case !c.ofFamily(Field(path, "to"), r.To.Addr(), v4):
		return
	case r.To != r.To.Masked():
		c.add(Field(path, "to"), "write "+r.To.Masked().String(), "%s is not the first address of its prefix", r.To.Addr())
	}
	same := func(o InterfaceRoute) bool { return o.To == r.To && o.Metric == r.Metric }
	if slices.ContainsFunc(ip.Routes[:at], same) {
		c.add(path, "give one of them another metric", "there are two routes to %s with the same metric", r.To)
	}
	if r.Metric < 0 || int64(r.Metric) > 1<<32-1 {
		c.add(Field(path, "metric"), "", "the metric %d is outside 0 to 4294967295", r.Metric)
	}
	if r.Source.IsValid() && c.ofFamily(Field(path, "source"), r.Source, v4) {
		c.addError(Field(path, "source"), "", checkUnicast(r.Source))
	}
	c.interfaceGateway(path, ip, r, v4)
}

// interfaceGateway checks by whom a route leads. It has to be on the link, which is not known
// where addresses come from outside.
func (c *checker) interfaceGateway(path string, ip *InterfaceIP, r *InterfaceRoute, v4 bool) {
	via := Field(path, "via")
	switch {
	case !r.Via.IsValid() && r.OnLink:
		c.add(Field(path, "onLink"), "add via, or remove it", "there is no gateway that could be on the link")
	case !r.Via.IsValid():
	case !c.ofFamily(via, r.Via, v4), c.addError(via, "", checkUnicast(r.Via)):
	case r.OnLink, ip.DHCP, ip.Autoconf, r.Via.IsLinkLocalUnicast():
	case !slices.ContainsFunc(ip.Addresses, func(p netip.Prefix) bool { return p.IsValid() && p.Contains(r.Via) }):
		c.add(via, "write onLink: true if it is on the link nevertheless", "the gateway %s is in the subnet of no address of the interface", r.Via)
	}
}

func defaultRoute(v4 bool) netip.Prefix {
	if v4 {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// interfaceDNS checks who is asked for names. One on the host itself is usual.
func (c *checker) interfaceDNS(path string, ip *InterfaceIP, v4 bool) {
	for k, a := range ip.DNS {
		at := Index(Field(path, "dns"), k)
		switch {
		case !c.ofFamily(at, a, v4):
		case a.IsValid() && a.IsLoopback():
		default:
			c.addError(at, "", checkUnicast(a.WithZone("")))
		}
		if slices.Contains(ip.DNS[:k], a) {
			c.add(at, "remove it", "%s is listed twice", a)
		}
	}
	for k, domain := range ip.Search {
		if domain == "." {
			continue // resolved's word for every domain
		}
		c.addError(Index(Field(path, "search"), k), "", CheckHostName(domain))
	}
}
