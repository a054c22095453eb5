package dns

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"kvmnet/internal/netns"
)

// route is a group of servers that know a part of the names.
type route struct {
	servers []netip.AddrPort
	host    bool                           // the resolvers of the host instead
	joined  *netns.NS                      // they are another network's own server, in that namespace
	last    atomic.Pointer[netip.AddrPort] // the server that answered last
}

// elsewhere decides about a name we know nothing of: who is asked, or that
// nobody is and it does not exist. The longest matching domain decides.
//
//  1. Reverse names of our own prefixes are all known, unless we are told otherwise.
//  2. Our domain, domains with servers of their own, those of networks that share
//     their names with us, private domains of other networks and names with a
//     special meaning, whichever is longest.
//  3. Plain names and addresses that mean something else everywhere stay here.
//  4. All else is forwarded, or refused where nobody is asked: a guest that is on
//     other networks, too, then asks there.
func (z *zone) elsewhere(r *reply, name string, kind uint16) {
	p := placeOf(name)
	if q, ok := p.within(z.reverse); ok && !z.back && !z.delegated(name, p) {
		z.deny(r, reverseZone(q), false)
		return
	}
	if z.byDomain(r, name) {
		return
	}
	fallback := z.forwarders
	if all := z.domains["."]; all != nil {
		fallback = all
	}
	if isPlain(name) && !z.plain && !infrastructure(kind) {
		z.deny(r, ".", false)
		return
	}
	if q, ok := p.within(localSpace); ok && fallback.host {
		z.deny(r, reverseZone(q), p.exact && (p.prefix == q || z.holds(p)))
		return
	}
	z.forward(r, fallback, name, ".")
}

// delegated tells whether somebody else is responsible for a part of our reverse
// zone.
func (z *zone) delegated(name string, p place) bool {
	for zone := range z.domains {
		if q := placeOf(zone); below(name, zone) && q.prefix.IsValid() {
			if _, ok := q.within(z.reverse); ok && p.in(q.prefix) {
				return true
			}
		}
	}
	return false
}

// holds tells whether one of our reverse zones is below a place: it exists then.
func (z *zone) holds(p place) bool {
	for _, q := range z.reverse {
		if p.above(q) {
			return true
		}
	}
	return false
}

// byDomain walks from the name up to the first domain that has a rule.
func (z *zone) byDomain(r *reply, name string) bool {
	private := z.privateOf(name)
	for up := name; up != "."; up = parent(up) {
		near := z.neighbour(up)
		switch rt := z.domains[up]; {
		case up == z.domain && z.localOnly:
			z.deny(r, up, false)
		case rt != nil:
			z.forward(r, rt, name, up)
		case up == z.domain && (z.shared || z.alone):
			z.deny(r, up, false)
		case up == z.domain:
			z.forward(r, z.forwarders, name, up)
		case near != nil:
			z.forward(r, near, name, up)
		case up == private:
			z.deny(r, up, false)
			r.passing = true
		case special[up] != 0:
			z.deny(r, up, special[up] == empty)
		default:
			continue
		}
		return true
	}
	return false
}

// hide takes names of other networks out of a forwarded answer. A resolver of the
// host may know them, and follow an alias that somebody outside has pointed there:
// the name it leads to does not exist then, whatever was asked of it.
func (z *zone) hide(m *dns.Msg) {
	leads := slices.ContainsFunc(m.Answer, func(r dns.RR) bool {
		c, alias := r.(*dns.CNAME)
		return alias && z.isPrivate(strings.ToLower(c.Target))
	})
	private := func(r dns.RR) bool { return z.isPrivate(strings.ToLower(r.Header().Name)) }
	m.Answer = slices.DeleteFunc(m.Answer, private)
	m.Ns, m.Extra = slices.DeleteFunc(m.Ns, private), slices.DeleteFunc(m.Extra, private)
	if leads {
		m.Rcode, m.Ns, m.Extra = dns.RcodeNameError, nil, nil
	}
}

// isPrivate tells whether a name may be another network's and nothing more
// special is said of it.
func (z *zone) isPrivate(name string) bool {
	private := z.privateOf(name)
	for up := name; up != ""; up = parent(up) {
		switch {
		case z.domains[up] != nil || z.neighbour(up) != nil:
			return false
		case up == z.domain:
			return z.shared
		case up == private:
			return true
		}
	}
	return false
}

// privateOf is the longest domain of another network that a name is in, "" when
// it is in none.
func (z *zone) privateOf(name string) string {
	for up := name; z.private != nil && up != "." && up != ""; up = parent(up) {
		if z.private(up) {
			return up
		}
	}
	return ""
}

// What is known of special names.
const (
	unknown = iota + 1 // they do not exist
	empty              // they have no records
)

// special are names that are not for the DNS: RFC 6761 section 6.4 (invalid),
// RFC 7686 (onion), RFC 9462 section 6.4 (resolver.arpa, we are not a resolver
// with encryption), and Mozilla's canary, by which a network with names of its
// own asks browsers to keep to its resolver.
var special = map[string]int{
	"invalid.": unknown, "onion.": unknown, "use-application-dns.net.": unknown, "resolver.arpa.": empty,
}

// deny says with authority that a name does not exist, or that it has no records
// of this type.
func (z *zone) deny(r *reply, apex string, exists bool) {
	if !exists {
		r.code = dns.RcodeNameError
	}
	r.authority = []dns.RR{z.soa(apex)}
}

// forward sends a question on; a domain without servers has no names.
func (z *zone) forward(r *reply, to *route, name, apex string) {
	if to == z.forwarders && z.alone {
		r.code = dns.RcodeRefused
		return
	}
	if !to.host && len(to.servers) == 0 {
		z.deny(r, apex, false)
		return
	}
	r.ask, r.target = to, name
}
