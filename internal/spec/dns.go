package spec

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Limits of the DNS service.
const (
	longestTTL    Seconds = 1<<31 - 1 // RFC 2181 section 8
	longestText           = 4096      // bytes of a TXT record, far beyond any use
	longestDomain         = 189       // characters; of 253, a label of 63 and its dot remain
	largestDNS            = 1_000_000 // answers in the cache
)

// dns checks the DNS settings of a network.
func (c *checker) dns(path string, n *Network) {
	d := n.DNS
	if d == nil {
		return
	}
	if d.Domain != "" {
		c.addError(Field(path, "domain"), "", checkDomain(d.Domain))
	} else if d.LocalOnly {
		c.add(Field(path, "localOnly"), "add domain", "localOnly needs a domain that is local")
	}
	c.dnsHosts(Field(path, "hosts"), d)
	c.dnsTexts(Field(path, "txt"), d)
	c.cnames(Field(path, "cnames"), n)
	for i, r := range d.SRV {
		c.srv(Index(Field(path, "srv"), i), r)
		c.listedTwice(Index(Field(path, "srv"), i), slices.Contains(d.SRV[:i], r))
	}
	for i, r := range d.MX {
		c.mx(Index(Field(path, "mx"), i), r, d.Domain)
		c.listedTwice(Index(Field(path, "mx"), i), slices.Contains(d.MX[:i], r))
	}
	c.resolvers(Field(path, "forwarders"), d.Forwarders, n)
	c.forwarding(path, n)
	c.domains(Field(path, "domains"), n)
	if d.TTL < 0 || d.TTL > longestTTL {
		c.add(Field(path, "ttl"), "", "the time to live %s is outside 1s to %s", d.TTL, longestTTL)
	}
	if d.Cache < -1 || d.Cache > largestDNS {
		c.add(Field(path, "cache"), "write -1 for no cache", "%d answers are outside 1 to %d", d.Cache, largestDNS)
	}
	c.limit(Field(path, "rate"), d.Rate, "queries")
}

func (c *checker) dnsHosts(path string, d *DNS) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(d.Hosts)) {
		p := Field(path, name)
		c.recordName(p, name, d, first)
		list, err := d.Hosts[name].List()
		if c.addError(p, "", err) || !c.few(p, len(list), maxAddresses) {
			continue
		}
		for i, a := range list {
			if !c.addError(p, "", checkAnswer(a)) && slices.Contains(list[:i], a) {
				c.add(p, "remove one of them", "%s is listed twice", a)
			}
		}
	}
}

// recordName checks the name of a record and that it is not written in two ways.
func (c *checker) recordName(path, name string, d *DNS, first map[string]string) {
	if c.addError(path, "", checkRecordName(name)) || c.addError(path, "", checkNotLocalhost(name)) {
		return
	}
	if d.Domain == "" && name == "*" {
		c.add(path, "add domain", "* is whatever is below the domain, and there is none")
	}
	if other, twice := first[d.Key(name)]; twice {
		c.add(path, "write all its records with one of them", "%q and %q are one name", other, name)
	}
	first[d.Key(name)] = name
}

func (c *checker) dnsTexts(path string, d *DNS) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(d.TXT)) {
		p := Field(path, name)
		c.recordName(p, name, d, first)
		if n := len(d.TXT[name]); n > longestText {
			c.add(p, "", "the text has %d bytes, at most %d are allowed", n, longestText)
		}
		c.addError(p, "", checkLine(d.TXT[name]))
	}
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

// domains checks the resolvers of single domains.
func (c *checker) domains(path string, n *Network) {
	first := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(n.DNS.Domains)) {
		p, lower := Field(path, name), strings.ToLower(name)
		c.addError(p, "", CheckHostName(name))
		if other, twice := first[lower]; twice {
			c.add(p, "remove one of them", "%q and %q are one domain", other, name)
		}
		if first[lower] = name; n.DNS.LocalOnly && lower == strings.ToLower(n.DNS.Domain) {
			c.add(p, "remove localOnly, or this", "with localOnly names of the network's own domain are not asked elsewhere")
		}
		if list := n.DNS.Domains[name]; !slices.Contains(list, DefaultResolver) {
			c.resolvers(p, list, n)
		} else if len(list) > 1 {
			c.add(p, "remove the others", "the default stands for servers of its own, beside it there can be none")
		} else if !n.AsksElsewhere() {
			c.add(p, "add forwarders, or forward: true", "there is no default: nobody is asked for names that are not known here")
		}
	}
}

// AsksElsewhere reports whether anybody is asked for names that are not known on
// the network and are of no domain with resolvers of its own.
func (n *Network) AsksElsewhere() bool {
	d := n.DNS
	switch {
	case d != nil && d.Forward != nil:
		return *d.Forward
	case n.Mode == Isolated:
		return d != nil && len(d.Forwarders) > 0
	}
	return true
}

// forwarding checks that what is asked elsewhere can be asked there.
func (c *checker) forwarding(path string, n *Network) {
	d := n.DNS
	if d.Forward != nil && !*d.Forward {
		if len(d.Forwarders) > 0 {
			c.add(Field(path, "forward"), "remove it, or forwarders", "with forward: false nobody is asked, but there are forwarders")
		}
		if d.ForwardPlain {
			c.add(Field(path, "forwardPlain"), "remove it", "with forward: false nobody is asked for plain names")
		}
		if d.ForwardReverse {
			c.add(Field(path, "forwardReverse"), "remove it", "with forward: false nobody is asked for the names of addresses")
		}
	}
}

// resolvers checks a list of servers. One may be the host's own, on a loopback
// address.
func (c *checker) resolvers(path string, list []Resolver, n *Network) {
	first := map[Resolver]bool{}
	for i, r := range list {
		p, a := Index(path, i), r.AddrPort().Addr()
		switch {
		case first[r]:
			c.add(p, "remove it", "%s is listed twice", r)
		case r == DefaultResolver:
			c.add(p, "remove it", "the default is for single domains; without forwarders it is the host's resolvers")
		case n.gatewayOf(a) && r.AddrPort().Port() == 53:
			c.add(p, "name a server elsewhere", "%s is the network's own gateway, queries would run in a circle", a)
		case a.IsLoopback() && !a.Is4In6() && a.Zone() == "":
		default:
			c.addError(p, "", checkUnicast(a))
		}
		first[r] = true
	}
}

// gatewayOf reports whether an address is one that the host holds on the network.
func (n *Network) gatewayOf(a netip.Addr) bool {
	return slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return a.IsValid() && s.Address.Addr() == a })
}
