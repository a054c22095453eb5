package dns

import (
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"
)

const (
	longestTTL      = 24 * 60 * 60 // seconds an answer is kept at most
	longestNegative = 60 * 60      // seconds the absence of one is kept at most (RFC 2308 section 5)
)

// pack makes an entry of a message about the name and type of a key. The name in
// the question is the key's, so that a client's spelling fits in its place.
func pack(m *dns.Msg, key []byte) (*entry, bool) {
	name, ok := nameOf(key[:len(key)-3])
	if !ok {
		return nil, false
	}
	m.Question = []dns.Question{{Name: name, Qtype: binary.BigEndian.Uint16(key[len(key)-3:]), Qclass: dns.ClassINET}}
	m.Response, m.RecursionAvailable, m.Compress = true, true, true
	wire, err := m.Pack()
	if err != nil || len(wire) > mostTCP {
		return nil, false
	}
	e := &entry{wire: wire}
	e.ttls, e.short, ok = survey(wire)
	return e, ok
}

// survey walks over a packed message and notes where its TTLs are and where the
// additional records begin.
func survey(wire []byte) (ttls []uint16, short int, ok bool) {
	i := skipName(wire, headerLen) + 4
	count := func(section int) int { return int(binary.BigEndian.Uint16(wire[6+2*section:])) }
	for section := range 3 {
		if section == 2 {
			short = i
		}
		for range count(section) {
			if i = skipName(wire, i); i == 0 || i+10 > len(wire) {
				return nil, 0, false
			}
			ttls = append(ttls, uint16(i+4))
			i += 10 + int(binary.BigEndian.Uint16(wire[i+8:]))
		}
	}
	return slices.Clip(ttls), short, i == len(wire)
}

// packOwn makes an entry of what we know ourselves. Its TTLs stay as they are.
func packOwn(r reply, key []byte) (*entry, bool) {
	m := &dns.Msg{Answer: r.answer, Ns: r.authority, Extra: r.extra}
	m.Rcode, m.Authoritative = r.code, r.code != dns.RcodeServerFailure && r.code != dns.RcodeRefused
	e, ok := pack(m, key)
	if ok {
		e.ttls = nil
	}
	return e, ok
}

// packForwarded makes an entry of the answer of an upstream server, good for so
// many seconds; 0 = not to be kept. Records pass through as they are, except OPT,
// which is between two neighbours. AD is for those who asked for it (RFC 6840
// section 5.8).
func packForwarded(m *dns.Msg, key []byte) (e *entry, life uint32, ok bool) {
	m.Extra = slices.DeleteFunc(m.Extra, func(r dns.RR) bool { return r.Header().Rrtype == dns.TypeOPT || r.Header().Rrtype == dns.TypeTSIG })
	traits := key[len(key)-1]
	m.Authoritative, m.Zero, m.RecursionDesired, m.CheckingDisabled = false, false, false, false
	m.AuthenticatedData = m.AuthenticatedData && traits&(flagAD|traitDO) != 0
	if m.Rcode > 15 {
		m.Rcode = dns.RcodeServerFailure
	}
	life = lifetime(m)
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, r := range section {
			r.Header().Ttl = min(r.Header().Ttl, longestTTL)
		}
	}
	e, ok = pack(m, key)
	return e, life, ok
}

// lifetime is how many seconds an answer of an upstream server may be kept: as
// long as its first record to end, and of a negative one as its SOA says (RFC
// 2308 section 5). Errors, referrals and negative answers without SOA are not
// kept.
func lifetime(m *dns.Msg) uint32 {
	if m.Truncated || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return 0
	}
	life := uint32(longestTTL)
	if m.Rcode == dns.RcodeNameError || !answers(m) {
		life = longestNegative
		soa, ok := authority(m)
		if !ok {
			return 0
		}
		soa.Hdr.Ttl = min(soa.Hdr.Ttl, soa.Minttl, longestNegative)
	}
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, r := range section {
			life = min(life, r.Header().Ttl)
		}
	}
	return life
}

// answers tells whether there is a record of the type that was asked for.
func answers(m *dns.Msg) bool {
	kind := m.Question[0].Qtype
	return slices.ContainsFunc(m.Answer, func(r dns.RR) bool { return r.Header().Rrtype == kind || kind == dns.TypeANY })
}

func authority(m *dns.Msg) (*dns.SOA, bool) {
	for _, r := range m.Ns {
		if soa, ok := r.(*dns.SOA); ok {
			return soa, true
		}
	}
	return nil, false
}
