package libvirtxml

import (
	"net/netip"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// protocols reads the addresses of both families. Libvirt keeps several elements of one
// family; here the first one counts.
func (f *InterfaceFile) protocols(path string, e *xmltree.Node, i *spec.HostInterface) {
	for _, p := range e.Elements("protocol") {
		family, has := p.Attribute("family")
		into := map[string]**spec.InterfaceIP{"ipv4": &i.IPv4, "ipv6": &i.IPv6}[family.Value]
		switch {
		case !has:
			f.refuse(p.At, "", "protocol misses the family attribute")
		case into == nil:
			f.refuse(family.ValueAt, "", "unsupported protocol family '%s'", family.Value)
		case *into != nil:
			f.note(p.At, "put what it says into the first one", "the second <protocol family='%s'> is ignored", family.Value)
		default:
			*into = f.protocol(spec.Field(path, family.Value), p, family.Value == "ipv4")
		}
	}
}

func (f *InterfaceFile) protocol(path string, e *xmltree.Node, v4 bool) *spec.InterfaceIP {
	ip := &spec.InterfaceIP{}
	f.places[path] = e.At
	if autoconf := e.Element("autoconf"); autoconf != nil && v4 {
		f.note(autoconf.At, "write it into <protocol family='ipv6'>", "<autoconf> is ignored, because it is of IPv6")
	} else {
		ip.Autoconf = autoconf != nil
	}
	f.dhcp(path, e.Element("dhcp"), ip)
	for _, a := range e.Elements("ip") {
		if a.Has("address") {
			ip.Addresses = append(ip.Addresses, f.prefix(spec.Index(spec.Field(path, "addresses"), len(ip.Addresses)), a, v4))
		}
	}
	for _, r := range e.Elements("route") {
		f.route(path, r, ip, v4)
	}
	f.resolvers(path, e, ip)
	return ip
}

func (f *InterfaceFile) dhcp(path string, e *xmltree.Node, ip *spec.InterfaceIP) {
	if ip.DHCP = e != nil; !ip.DHCP {
		return
	}
	f.places[spec.Field(path, "dhcp")] = e.At
	word, has := e.Attribute("peerdns")
	switch {
	case !has:
	case word.Value == "yes" || word.Value == "no":
		yes := word.Value == "yes"
		ip.PeerDNS = &yes
	default:
		f.refuse(word.ValueAt, spec.Field(path, "peerDNS"), "Invalid value for attribute 'peerdns' in element 'dhcp': '%s'.", word.Value)
	}
}

// prefix reads an address and its prefix length. Without one it is what the network
// scripts made of it: the one of the address's class, and 64 for IPv6.
func (f *InterfaceFile) prefix(path string, e *xmltree.Node, v4 bool) netip.Prefix {
	a := f.address(path, e, "address")
	bits := 64
	if v4 {
		bits = classBits(a)
	}
	word, has := e.Attribute("prefix")
	switch length, ok := parseNumber(word.Value, 10, 31); {
	case !has && a.IsValid():
		f.note(e.At, "write it", "the address has no prefix: it is taken for %s", netip.PrefixFrom(a, bits))
	case !has:
	case !ok:
		f.refuse(word.ValueAt, path, "Invalid value for attribute 'prefix' in element 'ip': '%s'. Expected integer value", word.Value)
		return netip.Prefix{}
	default:
		bits = int(min(length, 1<<15))
	}
	if a.IsValid() && bits > a.BitLen() {
		f.fault(e.Place("prefix"), path, "", "the prefix of an %s has at most %d bits", familyName(a), a.BitLen())
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, bits)
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4 address"
	}
	return "IPv6 address"
}

// classBits is the prefix length of the class of an address (RFC 791 section 3.2).
func classBits(a netip.Addr) int {
	switch {
	case !a.Is4():
		return 64
	case a.As4()[0] < 128:
		return 8
	case a.As4()[0] < 192:
		return 16
	}
	return 24
}

// address reads an attribute that is an address; libvirt takes any word.
func (f *InterfaceFile) address(path string, e *xmltree.Node, name string) netip.Addr {
	word, has := e.Attribute(name)
	if !has {
		return netip.Addr{}
	}
	f.places[path] = word.ValueAt
	a, err := netip.ParseAddr(word.Value)
	if err != nil {
		f.fault(word.ValueAt, path, "", "%q is no IP address", word.Value)
	}
	return a
}

// route reads the default route, which has a gateway only, and others, of which libvirt
// does not know.
func (f *InterfaceFile) route(path string, e *xmltree.Node, ip *spec.InterfaceIP, v4 bool) {
	path = spec.Index(spec.Field(path, "routes"), len(ip.Routes))
	f.places[path] = e.At
	r := spec.InterfaceRoute{To: defaultRoute(v4)}
	if e.Has("address") {
		r.To = f.prefix(spec.Field(path, "to"), e, v4)
	} else if !e.Has("gateway") {
		f.note(e.At, "remove it, or write a gateway", "<route> is ignored, because it leads nowhere")
		return
	}
	r.Via = f.address(spec.Field(path, "via"), e, "gateway")
	r.Source = f.address(spec.Field(path, "source"), e, "source")
	r.OnLink = f.yes(spec.Field(path, "onLink"), e, "onlink")
	if word, has := e.Attribute("metric"); has {
		f.places[spec.Field(path, "metric")] = word.ValueAt
		metric, ok := parseUnsigned(word.Value, 10, 32)
		if r.Metric = int(metric); !ok {
			f.fault(word.ValueAt, spec.Field(path, "metric"), "", "the metric %q is no number from 0 to 4294967295", word.Value)
		}
	}
	ip.Routes = append(ip.Routes, r)
}

func defaultRoute(v4 bool) netip.Prefix {
	if v4 {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// yes reads an attribute that is yes or no; it is not there for no.
func (f *InterfaceFile) yes(path string, e *xmltree.Node, name string) bool {
	word, has := e.Attribute(name)
	if has && word.Value != "yes" && word.Value != "no" {
		f.fault(word.ValueAt, path, "write yes or no", "%q is neither yes nor no", word.Value)
	}
	return word.Value == "yes"
}

// resolvers reads whom to ask for names, which libvirt has no elements for.
func (f *InterfaceFile) resolvers(path string, e *xmltree.Node, ip *spec.InterfaceIP) {
	for _, dns := range e.Elements("dns") {
		if dns.Has("server") {
			ip.DNS = append(ip.DNS, f.address(spec.Index(spec.Field(path, "dns"), len(ip.DNS)), dns, "server"))
		}
	}
	for _, search := range e.Elements("search") {
		domain := ""
		if f.word(spec.Index(spec.Field(path, "search"), len(ip.Search)), search, "domain", &domain); search.Has("domain") {
			ip.Search = append(ip.Search, domain)
		}
	}
}
