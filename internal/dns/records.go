package dns

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

// addRecords fills the nodes with what is configured.
func (z *zone) addRecords(c *plan.DNS) {
	for name, addrs := range c.Names {
		n := z.at(z.full(name))
		for _, a := range addrs {
			n.addrs = append(n.addrs, a.Unmap())
		}
	}
	for name, target := range c.Aliases {
		z.at(z.full(name)).alias = z.full(target)
	}
	for name, text := range c.TXT {
		z.add(z.full(name), &dns.TXT{Hdr: z.header(dns.TypeTXT), Txt: chunks(text)})
	}
	for _, s := range c.SRV {
		z.add(z.inside(s.Name), &dns.SRV{
			Hdr: z.header(dns.TypeSRV), Priority: uint16(s.Priority), Weight: uint16(s.Weight), Port: uint16(s.Port), Target: z.target(s.Target),
		})
	}
	for _, m := range c.MX {
		z.add(z.inside(m.Name), &dns.MX{Hdr: z.header(dns.TypeMX), Preference: uint16(m.Preference), Mx: z.target(m.Host)})
	}
}

// inside completes the owner of a service: what has no final dot is below the
// domain, "" is the domain itself.
func (z *zone) inside(name string) string {
	name = strings.ToLower(name)
	switch {
	case name == "":
		return cmp.Or(z.domain, ".")
	case dns.IsFqdn(name) || z.domain == "" || below(dns.Fqdn(name), z.domain):
		return dns.Fqdn(name)
	}
	return name + "." + z.domain
}

// target completes the name of a server; the root means that there is none (RFC
// 2782, RFC 7505).
func (z *zone) target(name string) string {
	if name == "" || name == "." {
		return "."
	}
	return z.full(name)
}

func (z *zone) add(name string, r dns.RR) {
	n := z.at(name)
	n.records = append(n.records, r)
}

func (z *zone) header(kind uint16) dns.RR_Header {
	return dns.RR_Header{Rrtype: kind, Class: dns.ClassINET, Ttl: z.ttl}
}

// chunks cuts text into the strings of at most 255 bytes that a TXT record is
// made of, and hides backslashes from the packer, which reads them as escapes.
func chunks(text string) []string {
	var list []string
	for len(text) > 255 {
		list, text = append(list, escape(text[:255])), text[255:]
	}
	return append(list, escape(text))
}

func escape(text string) string { return strings.ReplaceAll(text, `\`, `\\`) }

// addPointers makes the fixed names answer for their addresses. Of several names
// of an address the first in the alphabet is told, one of the domain before
// others. Names at the unspecified address or a loopback one are blocked, these
// have no name.
func (z *zone) addPointers(c *plan.DNS) {
	names := slices.SortedFunc(maps.Keys(c.Names), func(a, b string) int {
		if ours := z.isOurs(z.full(a)); ours != z.isOurs(z.full(b)) {
			if ours {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		if strings.HasPrefix(name, "*") {
			continue
		}
		for _, a := range c.Names[name] {
			if a = a.Unmap(); z.pointers[a] == "" && !a.IsUnspecified() && !a.IsLoopback() {
				z.pointers[a] = z.full(name)
			}
		}
	}
}

// addGateway finds the name of the gateway, which the SOA and NS records tell:
// the one its address has, or else "gateway" of the domain.
func (z *zone) addGateway(listen []netip.Addr) {
	for _, a := range listen {
		if z.gateway = z.pointers[a]; z.gateway != "" {
			return
		}
	}
	z.gateway = z.full(gatewayLabel)
	if n := z.nodes[z.gateway]; n != nil && (len(n.addrs) > 0 || n.alias != "") {
		return
	}
	z.at(z.gateway).addrs = listen
	for _, a := range listen {
		z.pointers[a] = z.gateway
	}
}

const gatewayLabel = "gateway"

// soa is the start of authority that negative answers carry: its TTL and its
// minimum say how long nothing is nothing (RFC 2308 section 4).
func (z *zone) soa(apex string) dns.RR {
	h := z.header(dns.TypeSOA)
	h.Name = apex
	return &dns.SOA{
		Hdr: h, Ns: z.gateway, Mbox: hostmaster(apex), Serial: z.serial,
		Refresh: 3600, Retry: 600, Expire: 86400, Minttl: z.ttl,
	}
}

func hostmaster(apex string) string {
	if apex == "." {
		return "hostmaster."
	}
	return "hostmaster." + apex
}
