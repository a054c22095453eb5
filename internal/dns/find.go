package dns

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// found is what we know of a name that exists here.
type found struct {
	apex    string // of the zone it is in; "." for plain names
	addrs   []netip.Addr
	alias   string
	records []dns.RR
	pointer string
}

// find returns what stands under a name: by configuration or by a lease, and
// else by a wildcard. Of plain names only the configured ones exist for types
// that belong to the DNS itself: a guest must not take .com away by its name.
func (z *zone) find(names Names, name string, kind uint16) (found, bool) {
	if below(name, "localhost.") { // RFC 6761 section 6.3
		return found{apex: "localhost.", addrs: loopback}, true
	}
	key, apex := name, z.apex(name)
	plain := isPlain(name) && name != z.domain
	if plain && z.domain != "" {
		key = name + z.domain
	}
	if plain && infrastructure(kind) {
		names = nil
	}
	if f, ok := z.exact(names, key); ok {
		f.apex = apex
		return f, true
	}
	if p := placeOf(name); p.prefix.IsValid() {
		return z.findPlace(names, name, p)
	}
	if plain && z.domain != "" {
		return found{}, false
	}
	return z.wildcard(names, name)
}

var loopback = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// apex is the zone that a name which exists here belongs to. A single name
// outside of the domain is a zone of its own.
func (z *zone) apex(name string) string {
	switch {
	case z.isOurs(name):
		return z.domain
	case isPlain(name):
		return "."
	}
	return name
}

// infrastructure tells the types that validating resolvers ask top-level domains
// for.
func infrastructure(kind uint16) bool {
	switch kind {
	case dns.TypeNS, dns.TypeSOA, dns.TypeDS, dns.TypeDNSKEY, dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeCDS, dns.TypeCDNSKEY:
		return true
	}
	return false
}

// exact looks a name up without wildcards. What is configured comes before what
// guests say of themselves.
func (z *zone) exact(names Names, name string) (found, bool) {
	n, leased := z.nodes[name], z.leased(names, name)
	switch {
	case n == nil:
		return found{addrs: leased}, len(leased) > 0
	case len(n.addrs) > 0:
		return found{addrs: append(slices.Clip(n.addrs), complement(n.addrs, leased)...), records: n.records}, true
	case n.alias != "":
		return found{alias: n.alias, records: n.records}, true
	}
	return found{addrs: leased, records: n.records}, true
}

// complement returns a guest's leased addresses of the family that a fixed name
// has none of, when the guest is the one that is meant: it holds a fixed address,
// too. Anybody else can say the same host name.
func complement(fixed, leased []netip.Addr) (out []netip.Addr) {
	if !meets(fixed, leased) {
		return nil
	}
	for _, a := range leased {
		if !slices.ContainsFunc(fixed, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			out = append(out, a)
		}
	}
	return out
}

func meets(a, b []netip.Addr) bool {
	return slices.ContainsFunc(a, func(x netip.Addr) bool { return slices.Contains(b, x) })
}

// leased returns the addresses of the guest with this host name.
func (z *zone) leased(names Names, name string) []netip.Addr {
	zone := z.domain
	if zone == "" {
		zone = "."
	}
	if names == nil || parent(name) != zone || z.domains[name] != nil {
		return nil
	}
	host := label(name)
	if slices.Contains(notForGuests, host) {
		return nil
	}
	return names.Lookup(host)
}

// notForGuests are host names that would give a guest power over others:
// browsers and resolvers ask for them by themselves (CERT VU#598349).
var notForGuests = []string{"localhost", "wpad", "isatap"}

// wildcard applies RFC 4592 section 4.3: the asterisk below the closest name that
// exists answers, and no other one. It does not reach into a domain that others
// are asked for.
func (z *zone) wildcard(names Names, name string) (found, bool) {
	if z.domains[name] != nil {
		return found{}, false
	}
	for up := parent(name); up != "" && up != "."; up = parent(up) {
		if n := z.nodes["*."+up]; n != nil {
			apex := up
			if z.isOurs(up) {
				apex = z.domain
			}
			return found{apex: apex, addrs: n.addrs, alias: n.alias, records: n.records}, true
		}
		if _, ok := z.exact(names, up); ok || up == z.domain || z.domains[up] != nil {
			return found{}, false
		}
	}
	return found{}, false
}

// findPlace looks a reverse name up. Names that stand for a part of an address
// exist as the nodes above those of the addresses.
func (z *zone) findPlace(names Names, name string, p place) (found, bool) {
	apex, ours := name, false
	if q, ok := p.within(z.reverse); ok {
		apex, ours = reverseZone(q), true
	}
	a, ok := p.host()
	if !ok {
		return found{apex: apex}, ours && p.exact && !p.prefix.IsSingleIP()
	}
	pointer := z.pointers[a]
	if pointer == "" && ours {
		pointer = z.hostname(names, a)
	}
	return found{apex: apex, pointer: pointer}, pointer != ""
}

// hostname is the name of the guest at an address, "" when the guest says a name
// that is configured for somebody else.
func (z *zone) hostname(names Names, a netip.Addr) string {
	if names == nil {
		return ""
	}
	host := names.Hostname(a)
	if host == "" || slices.Contains(notForGuests, host) {
		return ""
	}
	name := z.full(host)
	n := z.nodes[name]
	switch {
	case n == nil || len(n.addrs) == 0 && n.alias == "":
		return name
	case n.alias == "" && meets(n.addrs, names.Lookup(host)) && slices.Contains(names.Lookup(host), a):
		return name
	}
	return ""
}

// isApex tells whether SOA and NS records are at a name.
func (z *zone) isApex(name string) bool {
	if name == z.domain {
		return true
	}
	p := placeOf(name)
	return p.exact && slices.ContainsFunc(z.reverse, func(q netip.Prefix) bool {
		return isZone(q) && q.Masked() == p.prefix && !strings.HasPrefix(name, "*")
	})
}
