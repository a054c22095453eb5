package dns

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const (
	arpa4 = "in-addr.arpa."
	arpa6 = "ip6.arpa."
)

// place is what a name below in-addr.arpa or ip6.arpa says of an address.
type place struct {
	prefix netip.Prefix // as much of the address as could be read
	exact  bool         // all labels could be read
}

// host is the address when the name says all of it.
func (p place) host() (netip.Addr, bool) {
	return p.prefix.Addr(), p.exact && p.prefix.IsSingleIP()
}

// in tells whether all addresses of the name are in a prefix.
func (p place) in(q netip.Prefix) bool {
	return p.prefix.IsValid() && q.IsValid() && p.prefix.Bits() >= q.Bits() && q.Contains(p.prefix.Addr())
}

// above tells whether the names of the prefix are below this name.
func (p place) above(q netip.Prefix) bool {
	return p.exact && p.prefix.IsValid() && p.prefix.Bits() < q.Bits() && p.prefix.Contains(q.Addr())
}

// placeOf reads a reverse name (RFC 1035 section 3.5, RFC 3596 section 2.5). It
// is not valid for other names.
func placeOf(name string) place {
	switch {
	case below(name, arpa4):
		return readPlace(strings.TrimSuffix(name, arpa4), 4, 8, octet)
	case below(name, arpa6):
		return readPlace(strings.TrimSuffix(name, arpa6), 16, 4, nibble)
	}
	return place{}
}

// readPlace reads labels from the right, each so many bits of an address of so
// many bytes, until one is not a number.
func readPlace(name string, size, width int, number func(string) (byte, bool)) place {
	labels := dns.SplitDomainName(name)
	var raw [16]byte
	bits := 0
	for len(labels) > 0 && bits < size*8 {
		v, ok := number(labels[len(labels)-1])
		if !ok {
			break
		}
		raw[bits/8] |= v << (8 - width - bits%8)
		bits += width
		labels = labels[:len(labels)-1]
	}
	a, _ := netip.AddrFromSlice(raw[:size])
	return place{netip.PrefixFrom(a, bits), len(labels) == 0}
}

func octet(s string) (byte, bool) {
	v, err := strconv.ParseUint(s, 10, 8)
	return byte(v), err == nil && (s == "0" || s[0] != '0' && s[0] != '+')
}

func nibble(s string) (byte, bool) {
	v, err := strconv.ParseUint(s, 16, 4)
	return byte(v), err == nil && len(s) == 1
}

// reverseZone is the name of the zone that holds the reverse names of a prefix.
// Where the prefix ends inside a label it is the zone around it.
func reverseZone(p netip.Prefix) string {
	width, zone := 4, arpa6
	if p.Addr().Is4() {
		width, zone = 8, arpa4
	}
	raw := p.Addr().AsSlice()
	for bits := width; bits <= p.Bits(); bits += width {
		v := raw[(bits-1)/8]
		if width == 4 {
			v = v >> (8 - 4 - (bits-4)%8) & 15
			zone = strconv.FormatUint(uint64(v), 16) + "." + zone
		} else {
			zone = strconv.Itoa(int(v)) + "." + zone
		}
	}
	return zone
}

// isZone tells whether the reverse names of a prefix are a zone of their own.
func isZone(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits()%8 == 0
	}
	return p.Bits()%4 == 0
}

// localSpace are the addresses whose reverse names nobody outside can know: RFC
// 6303, and RFC 7793 for 100.64/10.
var localSpace = prefixes(
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
	"0.0.0.0/8", "127.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "255.255.255.255/32",
	"::/128", "::1/128", "fc00::/7", "fe80::/10", "2001:db8::/32",
)

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// within returns the longest prefix of a list that the name is in.
func (p place) within(list []netip.Prefix) (best netip.Prefix, ok bool) {
	for _, q := range list {
		if p.in(q) && (!ok || q.Bits() > best.Bits()) {
			best, ok = q.Masked(), true
		}
	}
	return best, ok
}
