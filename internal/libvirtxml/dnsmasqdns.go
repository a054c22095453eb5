package libvirtxml

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// Reasons that lines have in common.
const (
	noName    = "its name or address cannot be read"
	noSeconds = "its number cannot be read"
	otherwise = "the network says otherwise already"
)

// dnsSettings returns the DNS settings, to be changed.
func (t *translation) dnsSettings() *spec.DNS {
	if t.to.DNS == nil {
		t.to.DNS = &spec.DNS{}
	}
	return t.to.DNS
}

// setEntry sets an entry of a map that may be nil.
func setEntry[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// lineAddress gives one address to a domain and to all names below it; without an
// address there are no such names.
func (t *translation) lineAddress(place string, fields []string) string {
	domains, address, ok := domainsIn(strings.Join(fields, ","))
	a, err := netip.ParseAddr(address)
	switch {
	case !ok || address != "" && err != nil:
		return noName
	case slices.Contains(domains, "#") || slices.Contains(domains, ""):
		return "one address for every name there is would hide the names of the network itself"
	}
	for _, domain := range domains {
		if address == "" {
			t.lineNobody(place, domain)
			continue
		}
		t.name(place, domain, a)
		t.name(place, "*."+domain, a)
	}
	return ""
}

// name adds an address to a name.
func (t *translation) name(place, name string, a netip.Addr) {
	t.addAddress(t.dnsSettings(), name, a)
	t.put(spec.Field("dns.hosts", name), place)
}

func (t *translation) lineHost(place string, fields []string) string {
	var names []string
	var addresses []netip.Addr
	for i, f := range fields {
		_, err := strconv.Atoi(f)
		switch a, bad := netip.ParseAddr(f); {
		case bad == nil:
			addresses = append(addresses, a)
		case err == nil && i == len(fields)-1 && i > 0: // the time to live
		default:
			names = append(names, f)
		}
	}
	if len(names) == 0 || len(addresses) == 0 {
		return noName
	}
	for _, name := range names {
		for _, a := range addresses {
			t.name(place, name, a)
		}
	}
	return ""
}

func (t *translation) lineCNAME(place string, fields []string) string {
	if n := len(fields); n > 2 {
		if _, err := strconv.Atoi(fields[n-1]); err == nil {
			fields = fields[:n-1] // the time to live
		}
	}
	if len(fields) < 2 {
		return noName
	}
	d, target := t.dnsSettings(), fields[len(fields)-1]
	for _, alias := range fields[:len(fields)-1] {
		if old, has := d.CNAMEs[alias]; has && old != target {
			return otherwise
		}
		setEntry(&d.CNAMEs, alias, target)
		t.put(spec.Field("dns.cnames", alias), place)
	}
	return ""
}

func (t *translation) lineDomain(place string, fields []string) string {
	d := t.dnsSettings()
	switch {
	case len(fields) != 1 || fields[0] == "" || fields[0] == "#":
		return "a network has one domain here, for all its addresses"
	case d.Domain != "" && !strings.EqualFold(d.Domain, fields[0]):
		return otherwise
	}
	if d.Domain == "" {
		d.Domain, d.Register, t.byKey = fields[0], new(bool), nil
		t.put("dns.domain", place)
	}
	return ""
}

func (t *translation) lineText(place string, fields []string) string {
	if fields[0] == "" {
		return noName
	}
	d, text := t.dnsSettings(), strings.Join(fields[1:], "")
	if old, has := d.TXT[fields[0]]; has && old != text {
		return "a name has one text here"
	}
	setEntry(&d.TXT, fields[0], text)
	t.put(spec.Field("dns.txt", fields[0]), place)
	return ""
}

func (t *translation) lineService(place string, fields []string) string {
	r := spec.SRV{Name: fields[0]}
	if strings.Count(r.Name, ".") > 1 && !strings.HasSuffix(r.Name, ".") {
		r.Name += "."
	}
	numbers := []*int{&r.Port, &r.Priority, &r.Weight}
	for i, f := range fields[1:] {
		switch n, err := strconv.Atoi(f); {
		case i == 0:
			r.Target = f
		case err != nil || i > len(numbers):
			return noSeconds
		default:
			*numbers[i-1] = n
		}
	}
	if r.Target != "" && r.Port == 0 {
		r.Port = 1
	}
	if d := t.dnsSettings(); !slices.Contains(d.SRV, r) {
		t.put(spec.Index("dns.srv", len(d.SRV)), place)
		d.SRV = append(d.SRV, r)
	}
	return ""
}

func (t *translation) lineMail(place string, fields []string) string {
	d, r := t.dnsSettings(), spec.MX{Name: fields[0], Preference: 1}
	if r.Host = fields[0]; len(fields) > 1 && fields[1] != "" {
		r.Host = fields[1]
	}
	if len(fields) > 2 {
		n, err := strconv.Atoi(fields[2])
		if err != nil {
			return noSeconds
		}
		r.Preference = n
	}
	if !slices.Contains(d.MX, r) {
		t.put(spec.Index("dns.mx", len(d.MX)), place)
		d.MX = append(d.MX, r)
	}
	return ""
}

// mostAnswers is the most that a cache here keeps.
const mostAnswers = 1_000_000

func (t *translation) lineCache(place string, fields []string) string {
	n, err := strconv.Atoi(strings.Join(fields, ""))
	if err != nil || n < 0 {
		return noSeconds
	}
	if n == 0 {
		n = -1
	}
	t.dnsSettings().Cache = min(n, mostAnswers)
	t.put("dns.cache", place)
	return ""
}

func (t *translation) lineTTL(place string, fields []string) string {
	n, err := strconv.ParseInt(strings.Join(fields, ""), 10, 32)
	if err != nil || n <= 0 {
		return noSeconds
	}
	t.dnsSettings().TTL = spec.Seconds(n)
	t.put("dns.ttl", place)
	return ""
}
