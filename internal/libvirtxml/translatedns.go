package libvirtxml

import (
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// names reads the domain and the DNS service. dnsmasq asks elsewhere for plain names
// and for the names of addresses that it does not know, unless told not to.
func (t *translation) names() {
	d := &spec.DNS{}
	t.put("dns", "dns[0]")
	t.domain(d)
	if from := t.from.DNS; from != nil {
		t.records(from, d)
	}
	if t.to.DNS = d; asks(t.to) {
		t.forwardAll()
	} else if t.from.DNS != nil {
		d.ForwardPlain = t.from.DNS.ForwardPlainNames == "yes"
	}
	t.tidy()
}

// forwardAll asks elsewhere for all names that the document does not exempt.
func (t *translation) forwardAll() {
	t.to.DNS.ForwardPlain = t.from.DNS == nil || t.from.DNS.ForwardPlainNames != "no"
	t.to.DNS.ForwardReverse = t.reverse()
}

// tidy leaves settings out that say nothing.
func (t *translation) tidy() {
	if t.to.DNS != nil && equal(*t.to.DNS, spec.DNS{}) {
		t.to.DNS = nil
	}
}

func (t *translation) domain(d *spec.DNS) {
	from := t.from.Domain
	if from == nil || from.Name == "" {
		return
	}
	d.Domain, d.LocalOnly = from.Name, from.LocalOnly == "yes"
	if from.Register != "yes" {
		d.Register = new(bool)
	}
	t.put("dns.domain", "domain[0]@name")
	t.put("dns.localOnly", "domain[0]@localOnly")
	t.put("dns.register", "domain[0]@register")
}

// reverse decides about the names of the network's own addresses, for all subnets
// alike. libvirt knows localPtr only of prefixes that are one zone of DNS.
func (t *translation) reverse() bool {
	local, other := -1, -1
	for i, ip := range t.from.IPs {
		switch {
		case ip.LocalPtr == "yes":
			local = i
		case wholeZone(t.to.Subnets[i].Address):
			other = i
		}
	}
	if local >= 0 && other >= 0 {
		t.say(at("ip", local)+"@localPtr", "", "localPtr holds for all addresses of the network here, also for those of the other <ip>")
	}
	return local < 0
}

func (t *translation) records(from *DNS, d *spec.DNS) {
	if from.Enable == "no" {
		d.Enabled = new(bool)
	}
	t.put("dns.enabled", "dns[0]@enable")
	t.put("dns.forwardPlain", "dns[0]@forwardPlainNames")
	for i, f := range from.Forwarders {
		t.forwarder(at("dns[0]/forwarder", i), f, d)
	}
	for i, r := range from.TXT {
		t.text(at("dns[0]/txt", i), r, d)
	}
	for i, r := range from.SRV {
		t.put(spec.Index("dns.srv", len(d.SRV)), at("dns[0]/srv", i))
		d.SRV = append(d.SRV, serviceOf(r))
	}
	for i, h := range from.Hosts {
		t.host(at("dns[0]/host", i), h, d)
	}
}

// forwarder reads a resolver, of all names or of a domain; a domain without one is
// asked of the usual ones, as an exception from the domain around it.
func (t *translation) forwarder(place string, f Forwarder, d *spec.DNS) {
	r := spec.DefaultResolver
	if f.Addr != "" {
		a, err := netip.ParseAddr(f.Addr)
		if err != nil {
			t.leftOut(place, "its address cannot be read")
			return
		}
		port := uint16(dnsPort)
		if f.Port > 0 {
			port = uint16(f.Port)
		}
		r = spec.Resolver(netip.AddrPortFrom(a, port))
	}
	if f.Domain == "" {
		if f.Addr != "" && !slices.Contains(d.Forwarders, r) {
			t.put(spec.Index("dns.forwarders", len(d.Forwarders)), place)
			d.Forwarders = append(d.Forwarders, r)
		}
		return
	}
	if d.Domains == nil {
		d.Domains = map[string][]spec.Resolver{}
	}
	path := spec.Field("dns.domains", f.Domain)
	if list := d.Domains[f.Domain]; !slices.Contains(list, r) {
		t.put(path, place)
		t.put(spec.Index(path, len(list)), place)
		d.Domains[f.Domain] = append(list, r)
	}
}

func (t *translation) text(place string, r TXT, d *spec.DNS) {
	if _, twice := d.TXT[r.Name]; twice {
		t.leftOut(place, "a name has one text here")
		return
	}
	if d.TXT == nil {
		d.TXT = map[string]string{}
	}
	d.TXT[r.Name] = r.Value
	t.put(spec.Field("dns.txt", r.Name), place)
}

// serviceOf makes a service record. With a domain of its own its name is complete;
// dnsmasq's port is 1 where none is given.
func serviceOf(r SRV) spec.SRV {
	x := spec.SRV{Name: "_" + r.Service + "._" + r.Protocol, Target: r.Target, Port: r.Port, Priority: r.Priority, Weight: r.Weight}
	if r.Domain != "" {
		x.Name += "." + r.Domain + "."
	}
	if x.Target != "" && x.Port == 0 {
		x.Port = 1
	}
	return x
}

// host reads the names of an address. A name may have several addresses, in several
// elements.
func (t *translation) host(place string, h DNSHost, d *spec.DNS) {
	a, err := netip.ParseAddr(h.IP)
	if err != nil {
		return
	}
	for i, name := range h.Names {
		t.addAddress(d, name, a)
		if path := spec.Field("dns.hosts", name); t.origin[path] == "" {
			t.put(path, at(place+"/hostname", i))
		}
	}
}

// addAddress adds an address to a name. With the domain and without it, it is the same
// name, and stays as it was written first.
func (t *translation) addAddress(d *spec.DNS, name string, a netip.Addr) {
	if t.byKey == nil {
		t.byKey = map[string]string{}
		for _, written := range slices.Sorted(maps.Keys(d.Hosts)) {
			t.byKey[d.Key(written)] = written
		}
	}
	if first, has := t.byKey[d.Key(name)]; has {
		name = first
	}
	t.byKey[d.Key(name)] = name
	if list, _ := d.Hosts[name].List(); !slices.Contains(list, a) {
		setEntry(&d.Hosts, name, joined(append(list, a)))
	}
}

// joined writes addresses as people do.
func joined(list []netip.Addr) spec.Addresses {
	var a spec.Addresses
	words := make([]string, len(list))
	for i, addr := range list {
		words[i] = addr.String()
	}
	_ = a.UnmarshalList(words)
	return a
}
