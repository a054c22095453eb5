package plan

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// The defaults of DNS, as package spec tells people.
const (
	defaultCache   = 4096
	defaultQueries = 5000 // a second

	defaultTTL spec.Seconds = 60
)

// dns works out name service on a network, nil where it is switched off.
func (v *serving) dns(name string, n *spec.Network, gateways []netip.Prefix) *DNS {
	if !dnsOn(n) {
		return nil
	}
	w := n.DNS
	if w == nil {
		w = &spec.DNS{}
	}
	d := &DNS{
		Domain: domainOf(n), LocalOnly: w.LocalOnly, Shared: w.Domain != "" && v.domains[domainOf(n)] > 1, Register: spec.Truth(w.Register),
		Names: v.names(name, n, w), Aliases: map[string]string{}, TXT: map[string]string{},
		Forwarders: addrPorts(w.Forwarders), Domains: map[string][]netip.AddrPort{},
		Alone: !n.AsksElsewhere(), ForwardPlain: w.ForwardPlain, ForwardBack: w.ForwardReverse,
		TTL: cmp.Or(w.TTL, defaultTTL), Cache: limit(w.Cache, defaultCache), Rate: limit(w.Rate, defaultQueries),
	}
	for _, p := range gateways {
		d.Listen = append(d.Listen, p.Addr())
		d.Allowed, d.Reverse = append(d.Allowed, p.Masked()), append(d.Reverse, p.Masked())
	}
	for _, r := range n.Routes {
		d.Allowed = append(d.Allowed, r.To.Masked())
		if dhcpOn(r.Subnet()) {
			d.Reverse = append(d.Reverse, r.To.Masked())
		}
	}
	d.records(w)
	return d
}

// records takes over what people wrote, with names as DNS wants them.
func (d *DNS) records(w *spec.DNS) {
	for alias, target := range w.CNAMEs {
		d.Aliases[w.Key(alias)] = w.Key(target)
	}
	for name, text := range w.TXT {
		d.TXT[w.Key(name)] = text
	}
	for _, r := range w.SRV {
		r.Name = below(r.Name, d.Domain)
		r.Target = d.full(w.Key(r.Target))
		d.SRV = append(d.SRV, r)
	}
	for _, r := range w.MX {
		r.Name, r.Host = d.full(w.Key(cmp.Or(r.Name, d.Domain))), d.full(w.Key(r.Host))
		d.MX = append(d.MX, r)
	}
	for domain, resolvers := range w.Domains {
		d.Domains[strings.ToLower(domain)] = addrPorts(resolvers)
	}
}

// full completes a name, with a final dot.
func (d *DNS) full(name string) string {
	if name == "" {
		return "."
	}
	if strings.Contains(strings.TrimPrefix(name, "*."), ".") {
		return name + "."
	}
	return below(name, d.Domain)
}

// below puts a name that has no final dot below a domain.
func below(name, domain string) string {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, "."):
		return name
	case domain == "":
		return name + "."
	}
	return name + "." + domain + "."
}

// names are the fixed names of a network: those of the DNS settings, and where
// these do not have them, those of reservations and of ports with addresses.
func (v *serving) names(network string, n *spec.Network, w *spec.DNS) map[string][]netip.Addr {
	written, found := map[string][]netip.Addr{}, map[string][]netip.Addr{}
	for name, text := range w.Hosts {
		list, _ := text.List()
		written[w.Key(name)] = append(written[w.Key(name)], list...)
	}
	hosts := func(s spec.Subnet) {
		if dhcpOn(s) {
			for key, r := range s.DHCP.Hosts {
				if name := w.Key(spec.ReservedName(key)); name != "" {
					found[name] = append(found[name], r.IP)
				}
			}
		}
	}
	for _, s := range n.Subnets {
		hosts(s)
	}
	for _, r := range n.Routes {
		hosts(r.Subnet())
	}
	for _, port := range v.lay.portsOf(network) {
		if name := w.Key(hostLabel(port)); name != "" && len(v.live.Ports[port].Addresses) > 0 {
			found[name] = append(found[name], v.live.Ports[port].Addresses...)
		}
	}
	for alias := range w.CNAMEs {
		delete(found, w.Key(alias))
	}
	for name, list := range found {
		if _, has := written[name]; !has {
			written[name] = list
		}
	}
	for name, list := range written {
		slices.SortFunc(list, netip.Addr.Compare)
		written[name] = slices.Compact(list)
	}
	return written
}

func addrPorts(resolvers []spec.Resolver) []netip.AddrPort {
	var list []netip.AddrPort
	for _, r := range resolvers {
		list = append(list, r.AddrPort())
	}
	return list
}
