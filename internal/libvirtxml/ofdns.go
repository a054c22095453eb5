package libvirtxml

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

func renderDomain(n *spec.Network) *Domain {
	if n.DNS == nil || n.DNS.Domain == "" {
		return nil
	}
	// libvirt registers only a domain that is local.
	local := n.DNS.LocalOnly
	return &Domain{Name: n.DNS.Domain, LocalOnly: yes(local), Register: yes(local && spec.Truth(n.DNS.Register))}
}

// dnsOf are the DNS settings of a network, those of nil written out.
func dnsOf(n *spec.Network) spec.DNS {
	if n.DNS == nil {
		return spec.DNS{}
	}
	return *n.DNS
}

// asks reports whether guests' questions go elsewhere, so that it matters which.
func asks(n *spec.Network) bool {
	return spec.Truth(dnsOf(n).Enabled) && len(n.Subnets) > 0 && n.AsksElsewhere()
}

// renderDNS writes the DNS service. Of one that is switched off libvirt wants no more
// than that.
func renderDNS(n *spec.Network) *DNS {
	d := dnsOf(n)
	if !spec.Truth(d.Enabled) {
		return &DNS{Enable: "no"}
	}
	x := &DNS{Forwarders: renderForwarders(n, d), SRV: renderSRV(d), Hosts: renderNames(d.Hosts)}
	if x.ForwardPlainNames = yes(d.ForwardPlain); asks(n) {
		x.ForwardPlainNames = no(!d.ForwardPlain)
	}
	for _, name := range slices.Sorted(maps.Keys(d.TXT)) {
		x.TXT = append(x.TXT, TXT{Name: name, Value: speakable(d.TXT[name])})
	}
	if equal(*x, DNS{}) {
		return nil
	}
	return x
}

// renderForwarders lists the resolvers, then those of single domains. A domain
// without any, whose names do not exist, cannot be said; nor can the usual resolvers
// where there are none.
func renderForwarders(n *spec.Network, d spec.DNS) []Forwarder {
	usual := renderForward(n) != nil || len(d.Forwarders) > 0
	var list []Forwarder
	add := func(domain string, resolvers []spec.Resolver) {
		for _, r := range resolvers {
			if f, ok := renderForwarder(domain, r); ok || usual {
				list = append(list, f)
			}
		}
	}
	add("", d.Forwarders)
	for _, domain := range slices.Sorted(maps.Keys(d.Domains)) {
		add(domain, d.Domains[domain])
	}
	return list
}

const dnsPort = 53

// renderForwarder is false for the usual resolvers.
func renderForwarder(domain string, r spec.Resolver) (Forwarder, bool) {
	if r == spec.DefaultResolver {
		return Forwarder{Domain: domain}, false
	}
	f := Forwarder{Domain: domain, Addr: r.AddrPort().Addr().String()}
	if port := r.AddrPort().Port(); port != dnsPort {
		f.Port = int(port)
	}
	return f, true
}

// renderSRV takes the names of services apart: _ldap._tcp.example.org.
func renderSRV(d spec.DNS) []SRV {
	var list []SRV
	for _, r := range d.SRV {
		labels := strings.SplitN(strings.TrimSuffix(r.Name, "."), ".", 3)
		if len(labels) < 2 {
			continue
		}
		x := SRV{Service: strings.TrimPrefix(labels[0], "_"), Protocol: strings.TrimPrefix(labels[1], "_")}
		if len(labels) == 3 {
			x.Domain = labels[2]
			if !strings.HasSuffix(r.Name, ".") && d.Domain != "" {
				x.Domain += "." + d.Domain
			}
		}
		if r.Target != "" && r.Target != "." {
			x.Target, x.Port, x.Priority, x.Weight = strings.TrimSuffix(r.Target, "."), r.Port, r.Priority, r.Weight
		}
		if x.Service != "" && x.Protocol != "" && !slices.Contains(list, x) {
			list = append(list, x)
		}
	}
	return list
}

// renderNames lists the names of each address. Wildcards cannot be said.
func renderNames(hosts map[string]spec.Addresses) []DNSHost {
	names := map[netip.Addr][]string{}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		list, _ := hosts[name].List()
		for _, a := range list {
			if !strings.HasPrefix(name, "*") && !slices.Contains(names[a], name) {
				names[a] = append(names[a], name)
			}
		}
	}
	var list []DNSHost
	for _, a := range slices.SortedFunc(maps.Keys(names), netip.Addr.Compare) {
		list = append(list, DNSHost{IP: a.String(), Names: names[a]})
	}
	return list
}
