package libvirtxml

import (
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// domainsIn cuts /a/b/rest, which is for the domains a and b.
func domainsIn(field string) (domains []string, rest string, ok bool) {
	inside, ok := strings.CutPrefix(field, "/")
	i := strings.LastIndexByte(inside, '/')
	if !ok || i < 0 {
		return nil, field, false
	}
	for name := range strings.SplitSeq(inside[:i], "/") {
		domains = append(domains, strings.Trim(strings.TrimPrefix(name, "*."), "."))
	}
	return domains, inside[i+1:], true
}

// lineNobody says that a domain's names are asked of nobody.
func (t *translation) lineNobody(place, domain string) {
	d := t.dnsSettings()
	switch _, has := d.Domains[domain]; {
	case has:
	case d.Domain != "" && strings.EqualFold(domain, d.Domain):
		d.LocalOnly = true
		t.put("dns.localOnly", place)
	default:
		setEntry(&d.Domains, domain, nil)
		t.put(spec.Field("dns.domains", domain), place)
	}
}

// lineServer names a resolver, of all names or of domains; without an address the
// names of a domain are asked of nobody, and with # of the usual resolvers.
func (t *translation) lineServer(place string, fields []string) string {
	if len(fields) != 1 {
		return noName
	}
	domains, address, of := domainsIn(fields[0])
	if of && address == "" {
		for _, domain := range domains {
			if domain == "" {
				t.linePlain(place, nil)
			} else {
				t.lineNobody(place, domain)
			}
		}
		return ""
	}
	if address, _, from := strings.Cut(address, "@"); from || address == "" {
		return "questions leave by the way the host has to the resolver"
	}
	f := Forwarder{}
	if address != "#" {
		host, port, _ := strings.Cut(address, "#")
		a, err := netip.ParseAddr(host)
		n, errPort := strconv.ParseUint(port, 10, 16)
		if err != nil || port != "" && errPort != nil {
			return noName
		}
		f.Addr, f.Port = a.String(), int(n)
	}
	if !of {
		domains = []string{""}
	}
	for _, f.Domain = range domains {
		t.forwarder(place, f, t.dnsSettings())
	}
	return ""
}

// lineZone keeps the names of a zone here: no one else is asked.
func (t *translation) lineZone(place string, fields []string) string {
	if len(fields) == 0 || fields[0] == "" {
		return noName
	}
	t.lineNobody(place, strings.Trim(fields[0], "."))
	return ""
}

// lineAlone asks nobody but who is named.
func (t *translation) lineAlone(place string, _ []string) string {
	if d := t.dnsSettings(); len(d.Forwarders) == 0 && t.to.AsksElsewhere() {
		d.Forward, d.ForwardPlain, d.ForwardReverse = new(bool), false, false
		t.put("dns.forward", place)
	}
	return ""
}

func (t *translation) linePlain(string, []string) string {
	t.dnsSettings().ForwardPlain = false
	return ""
}

func (t *translation) lineReverse(string, []string) string {
	t.dnsSettings().ForwardReverse = false
	return ""
}
