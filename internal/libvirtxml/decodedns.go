package libvirtxml

import (
	"strings"

	"kvmnet/internal/xmltree"
)

// dns reads <dns>.
func (d *decoder) dns(e *xmltree.Node) (*DNS, error) {
	if e == nil {
		return nil, nil
	}
	dns := &DNS{}
	var err error
	if dns.Enable, err = yesNo(e, "enable"); err != nil {
		return nil, err
	}
	if dns.ForwardPlainNames, err = yesNo(e, "forwardPlainNames"); err != nil {
		return nil, err
	}
	for _, part := range []func(*xmltree.Node, *DNS) error{d.forwarders, d.dnsHosts, d.srvs, d.txts} {
		if err := part(e, dns); err != nil {
			return nil, err
		}
	}
	if dns.Enable == "no" && len(dns.Forwarders)+len(dns.Hosts)+len(dns.SRV)+len(dns.TXT) > 0 {
		return nil, refuse(e.At, classXML, "Extra data in disabled network '%s'", d.network)
	}
	return dns, nil
}

func (d *decoder) forwarders(e *xmltree.Node, dns *DNS) error {
	for _, c := range e.Elements("forwarder") {
		f, err := d.forwarder(c)
		if err != nil {
			return err
		}
		dns.Forwarders = append(dns.Forwarders, f)
	}
	return nil
}

// forwarder reads a resolver. Its port is newer than libvirt 9.0, which ignores it,
// so one that is none is no error.
func (d *decoder) forwarder(e *xmltree.Node) (Forwarder, error) {
	f := Forwarder{Domain: e.Value("domain")}
	if e.Has("addr") {
		a, ok := parseAddress(e.Value("addr"))
		if !ok {
			return f, refuse(e.Place("addr"), classXML, "Invalid forwarder IP address '%s' in network '%s'", e.Value("addr"), d.network)
		}
		f.Addr = formatAddress(a)
	}
	if !e.Has("addr") && !e.Has("domain") {
		return f, refuse(e.At, classXML, "Invalid forwarder element, must contain at least one of addr or domain")
	}
	if port, ok := parseNumber(e.Value("port"), 10, 16); ok && f.Addr != "" {
		f.Port = int(port)
	}
	return f, nil
}

func (d *decoder) dnsHosts(e *xmltree.Node, dns *DNS) error {
	for _, c := range e.Elements("host") {
		h, err := d.dnsHost(c)
		if err != nil {
			return err
		}
		dns.Hosts = append(dns.Hosts, h)
	}
	return nil
}

// dnsHost reads an address with its names. Looking for one, either will do.
func (d *decoder) dnsHost(e *xmltree.Node) (DNSHost, error) {
	h := DNSHost{}
	if e.Has("ip") {
		a, ok := parseAddress(e.Value("ip"))
		if !ok {
			return h, refuse(e.Place("ip"), "", "Invalid IP address in network '%s' DNS HOST record", d.network)
		}
		h.IP = formatAddress(a)
	} else if !d.partial {
		return h, refuse(e.At, "", "Missing IP address in network '%s' DNS HOST record", d.network)
	}
	for _, c := range e.Named("hostname") {
		name := c.Content()
		if name == "" {
			return h, refuse(c.At, "", "Missing hostname in network '%s' DNS HOST record", d.network)
		}
		h.Names = append(h.Names, name)
	}
	switch {
	case h.Names == nil && !d.partial:
		return h, refuse(e.At, "", "Missing hostname in network '%s' DNS HOST record", d.network)
	case h.Names == nil && h.IP == "":
		return h, refuse(e.At, "", "Missing ip and hostname in network '%s' DNS HOST record", d.network)
	}
	return h, nil
}

func (d *decoder) srvs(e *xmltree.Node, dns *DNS) error {
	for _, c := range e.Elements("srv") {
		s, err := d.srv(c)
		if err != nil {
			return err
		}
		dns.SRV = append(dns.SRV, s)
	}
	return nil
}

// What the names of a service record may be made of. A dot would part them.
const (
	letters       = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	protocolSigns = letters + "-+/"
	serviceSigns  = protocolSigns + "_*"
	longestSRV    = 482 // bytes of the name of a service
)

// srv reads a service record.
func (d *decoder) srv(e *xmltree.Node) (SRV, error) {
	s := SRV{Service: e.Value("service"), Protocol: e.Value("protocol"), Domain: e.Value("domain"), Target: e.Value("target")}
	switch {
	case !e.Has("service") && !d.partial:
		return s, refuse(e.At, "", "missing required service attribute in DNS SRV record of network '%s'", d.network)
	case len(s.Service) > longestSRV:
		return s, refuse(e.Place("service"), "", "service attribute '%s' in network '%s' is too long, limit is %d bytes", s.Service, d.network, longestSRV)
	case strings.Trim(s.Service, serviceSigns) != "":
		return s, refuse(e.Place("service"), "", "invalid character in service attribute '%s' in DNS SRV record of network '%s'", s.Service, d.network)
	case !e.Has("protocol") && !d.partial:
		return s, refuse(e.At, "", "missing required protocol attribute in DNS SRV record '%s' of network '%s'", s.Service, d.network)
	case strings.Trim(s.Protocol, protocolSigns) != "":
		return s, refuse(e.Place("protocol"), "", "invalid character in protocol attribute '%s' in DNS SRV record of network '%s'", s.Protocol, d.network)
	}
	return s, d.srvNumbers(e, &s)
}

// srvNumbers reads the numbers of a service record, which need a target.
func (d *decoder) srvNumbers(e *xmltree.Node, s *SRV) error {
	for _, number := range []struct {
		name, invalid string
		least         uint64
		to            *int
	}{{"port", "invalid", 1, &s.Port}, {"priority", "Invalid", 0, &s.Priority}, {"weight", "invalid", 0, &s.Weight}} {
		written := e.Own(number.name)
		if written == "" {
			continue
		}
		value, ok := parseUnsigned(written, 10, 32)
		switch {
		case ok && !e.Has("target"):
			return refuse(e.Place(number.name), "", "DNS SRV %s attribute not permitted without target for service '%s' in network '%s'", number.name, s.Service, d.network)
		case !ok || value < number.least || value > 65535:
			return refuse(e.Place(number.name), "", "%s DNS SRV %s attribute for service '%s' in network '%s'", number.invalid, number.name, s.Service, d.network)
		}
		*number.to = int(value)
	}
	return nil
}

func (d *decoder) txts(e *xmltree.Node, dns *DNS) error {
	for _, c := range e.Elements("txt") {
		t, err := d.txt(c)
		if err != nil {
			return err
		}
		dns.TXT = append(dns.TXT, t)
	}
	return nil
}

// txt reads a text record.
func (d *decoder) txt(e *xmltree.Node) (TXT, error) {
	t := TXT{Name: e.Value("name"), Value: e.Value("value")}
	switch {
	case !e.Has("name"):
		return t, refuse(e.At, "", "missing required name attribute in DNS TXT record of network %s", d.network)
	case strings.ContainsAny(t.Name, " ,"):
		return t, refuse(e.Place("name"), "", "prohibited character in DNS TXT record name '%s' of network %s", t.Name, d.network)
	case !e.Has("value") && !d.partial:
		return t, refuse(e.At, "", "missing required value attribute in DNS TXT record named '%s' of network %s", t.Name, d.network)
	}
	return t, nil
}
