package serve

import "kvmnet/internal/dns"

// setDNS makes the name server of a network. The one of a router asks servers that
// people wrote down from the router's namespace, for they are chosen with its
// routes in mind, and those of the host from the host's.
func (n *network) setDNS() {
	if n.dns == nil && n.have.DNS != nil {
		o := dns.Options{NS: n.place.ns, Names: names{n.table, &n.ports}, Upstream: n.o.Upstream, Local: n.isOwn,
			Private: n.s.zones.others(n.name), Joined: n.joined, Warn: n.warn, Log: n.log}
		if n.at.ns != "" {
			o.Home = &dns.Home{NS: n.o.NS, Local: n.s.own.ofHost, Gateway: n.s.own.isGateway}
		}
		n.dns = dns.New(o)
	}
	if n.dns != nil {
		n.try(n.dns.Set(n.have.DNS, n.index))
	}
}

// joined finds who answers for a zone of a network whose names are shared with the
// guests of this one.
func (n *network) joined(zone string) (dns.Neighbour, bool) {
	o, ok := n.s.zones.joined(n.name, zone)
	if !ok {
		return dns.Neighbour{}, false
	}
	p, there := n.s.placeOf(o.ns)
	return dns.Neighbour{NS: p.ns, Listen: o.listen}, there
}
