package dns

import (
	"net/netip"

	"github.com/miekg/dns"
)

// reply is what zone.answer decides.
type reply struct {
	code                     int
	answer, authority, extra []dns.RR
	passing                  bool // it rests on what other networks there are: not to be kept

	// ask says who has to be asked about target to complete the answer, nil when
	// it is complete.
	ask    *route
	target string
}

// longestChain bounds how many aliases are followed.
const longestChain = 8

// answer decides about a question. It is pure: all it knows are the zone and the
// names. It follows aliases until a name has what is asked for, does not exist,
// or is not ours to know.
func (z *zone) answer(names Names, name string, kind uint16) reply {
	var r reply
	for range longestChain {
		f, ok := z.find(names, name, kind)
		if !ok {
			z.elsewhere(&r, name, kind)
			return r
		}
		if set := z.rrset(name, f, kind); len(set) > 0 {
			r.answer = append(r.answer, set...)
			r.extra = z.additional(names, set)
			return r
		}
		if f.alias == "" {
			r.authority = []dns.RR{z.soa(f.apex)}
			return r
		}
		r.answer = append(r.answer, z.rrset(name, f, dns.TypeCNAME)...)
		name = f.alias
	}
	return reply{code: dns.RcodeServerFailure} // aliases in a circle
}

// rrset makes the records of one type at a name. ANY gets one set of those there
// are (RFC 8482 section 4.1).
func (z *zone) rrset(owner string, f found, kind uint16) []dns.RR {
	h := z.header(kind)
	h.Name = owner
	switch kind {
	case dns.TypeANY:
		return z.anySet(owner, f)
	case dns.TypeA, dns.TypeAAAA:
		return addressSet(h, f.addrs)
	case dns.TypeCNAME:
		if f.alias != "" {
			return []dns.RR{&dns.CNAME{Hdr: h, Target: f.alias}}
		}
	case dns.TypePTR:
		if f.pointer != "" {
			return []dns.RR{&dns.PTR{Hdr: h, Ptr: f.pointer}}
		}
	case dns.TypeSOA:
		if z.isApex(owner) {
			return []dns.RR{z.soa(owner)}
		}
	case dns.TypeNS:
		if z.isApex(owner) {
			return []dns.RR{&dns.NS{Hdr: h, Ns: z.gateway}}
		}
	}
	return ownedBy(owner, f.records, kind)
}

func (z *zone) anySet(owner string, f found) []dns.RR {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypePTR, dns.TypeMX, dns.TypeSRV, dns.TypeTXT, dns.TypeSOA} {
		if set := z.rrset(owner, f, kind); len(set) > 0 {
			return set
		}
	}
	return nil
}

func addressSet(h dns.RR_Header, addrs []netip.Addr) (set []dns.RR) {
	for _, a := range addrs {
		switch {
		case a.Is4() && h.Rrtype == dns.TypeA:
			set = append(set, &dns.A{Hdr: h, A: a.AsSlice()})
		case !a.Is4() && h.Rrtype == dns.TypeAAAA:
			set = append(set, &dns.AAAA{Hdr: h, AAAA: a.AsSlice()})
		}
	}
	return set
}

// ownedBy copies the records of a type; below a wildcard they take the name that
// was asked for.
func ownedBy(owner string, records []dns.RR, kind uint16) (set []dns.RR) {
	for _, r := range records {
		if r.Header().Rrtype == kind {
			c := dns.Copy(r)
			c.Header().Name = owner
			set = append(set, c)
		}
	}
	return set
}

// additional adds the addresses of the servers that records point to.
func (z *zone) additional(names Names, set []dns.RR) (extra []dns.RR) {
	for _, r := range set {
		target := ""
		switch r := r.(type) {
		case *dns.SRV:
			target = r.Target
		case *dns.MX:
			target = r.Mx
		case *dns.NS:
			target = r.Ns
		}
		if target == "" || target == "." {
			continue
		}
		if f, ok := z.find(names, target, dns.TypeA); ok {
			extra = append(append(extra, z.rrset(target, f, dns.TypeA)...), z.rrset(target, f, dns.TypeAAAA)...)
		}
	}
	return extra
}
