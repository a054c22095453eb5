package libvirtxml

import (
	"math"
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// yesNo reads a word that is yes or no, "" when it is not there.
func yesNo(n *xmltree.Node, name string) (string, error) {
	a, has := n.Attribute(name)
	if has && a.Value != "yes" && a.Value != "no" {
		return "", badValue(n, a, "")
	}
	return a.Value, nil
}

// badValue is the error for an attribute whose value is of the wrong kind.
func badValue(n *xmltree.Node, a xmltree.Attr, expected string) error {
	return refuse(a.ValueAt, classXML, "Invalid value for attribute '%s' in element '%s': '%s'.%s", a.Name, n.Name, a.Value, expected)
}

// missing is the error for an attribute that has to be there.
func missing(n *xmltree.Node, name string) error {
	return refuse(n.At, classXML, "Missing required attribute '%s' in element '%s'", name, n.Name)
}

// parseUnsigned reads a number that is not negative.
func parseUnsigned(s string, base, bits int) (uint64, bool) {
	value, ok := parseNumber(s, base, bits)
	return value, ok && !strings.Contains(s, "-")
}

// unsigned reads an attribute that is such a number.
func unsigned(n *xmltree.Node, name string, bits int) (value uint64, has bool, err error) {
	a, has := n.Attribute(name)
	if !has {
		return 0, false, nil
	}
	value, ok := parseUnsigned(a.Value, 10, bits)
	if !ok {
		return 0, true, badValue(n, a, " Expected non-negative integer value")
	}
	return value, true, nil
}

// parseNumber reads a number as strtoul does: after white space, with a sign, in
// base 16 with 0x in front. A negative number wraps around, within its bits.
func parseNumber(s string, base, bits int) (uint64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	negative := strings.HasPrefix(s, "-")
	digits := strings.TrimPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	digits, base = numberBase(digits, base)
	if strings.ContainsAny(digits, "_+-") {
		return 0, false
	}
	value, err := strconv.ParseUint(digits, base, bits)
	if err != nil {
		return 0, false
	}
	if negative {
		value = -value & (math.MaxUint64 >> (64 - bits))
	}
	return value, true
}

// numberBase finds the base of a number that tells it itself.
func numberBase(digits string, base int) (string, int) {
	hex := len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x'
	switch {
	case hex && (base == 0 || base == 16):
		return digits[2:], 16
	case base == 0 && len(digits) > 1 && digits[0] == '0':
		return digits[1:], 8
	case base == 0:
		return digits, 10
	}
	return digits, base
}

// parseMAC reads an Ethernet address as libvirt does: colons between its numbers,
// each of one or two digits; what follows white space does not count.
func parseMAC(s string) (mac spec.MAC, ok bool) {
	if end := strings.IndexAny(s, " \t\n\v\f\r"); end >= 0 {
		s = s[:end]
	}
	parts := strings.Split(s, ":")
	if len(parts) != len(mac) {
		return mac, false
	}
	for i, part := range parts {
		value, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 {
			return mac, false
		}
		mac[i] = byte(value)
	}
	return mac, true
}

// parseUUID reads a UUID as libvirt does, with hyphens anywhere between its pairs of
// digits, and returns it in its usual form.
func parseUUID(s string) (string, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r-")
	var digits []byte
	for len(s) > 0 && len(digits) < 32 {
		if s[0] == '-' {
			s = s[1:]
			continue
		}
		if len(s) < 2 || !isHex(s[0]) || !isHex(s[1]) {
			return "", false
		}
		digits = append(digits, s[0], s[1])
		s = s[2:]
	}
	if len(digits) < 32 || strings.TrimLeft(s, " \t\n\v\f\r") != "" {
		return "", false
	}
	d := strings.ToLower(string(digits))
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:], true
}

func isHex(c byte) bool {
	c |= 0x20
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
}

// parseAddress reads an address as getaddrinfo does for numeric hosts, which takes
// the short forms of inet_aton too: 10.1 is 10.0.0.1.
func parseAddress(s string) (netip.Addr, bool) {
	if strings.Contains(s, ":") {
		a, err := netip.ParseAddr(s)
		return a, err == nil
	}
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	var address uint32
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 32 - 8*i
		}
		if part == "" || part[0] < '0' || part[0] > '9' {
			return netip.Addr{}, false
		}
		value, ok := parseNumber(part, 0, 32)
		if !ok || value >= 1<<bits {
			return netip.Addr{}, false
		}
		address |= uint32(value) << (32 - 8*i - bits)
	}
	return netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}), true
}

// formatAddress writes an address as getnameinfo does. It differs from Go in the
// last bytes of an address that begins with zeros only.
func formatAddress(a netip.Addr) string {
	b := a.As16()
	if !a.Is6() || a.Is4In6() || [12]byte(b[:12]) != [12]byte{} || b[12] == 0 && b[13] == 0 {
		return a.String()
	}
	return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
}

// notAddress is what libvirt says of an address that is none, where it says nothing
// better.
func notAddress(at int, s string) error {
	return refuse(at, "", "Cannot parse socket address '%s': Name or service not known", s)
}
