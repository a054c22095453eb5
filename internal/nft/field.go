package nft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// field is one part of a key or value of a map.
type field int

const (
	ifname field = iota
	mac
	ipv4
	ipv6
	proto
	port
	mark
	bits // an IPv6 address that is a number to nft
)

// width is the length of the field in bytes, without the padding behind it.
func (f field) width() int {
	return [...]int{ifname: unix.IFNAMSIZ, mac: 6, ipv4: 4, ipv6: 16, proto: 1, port: 2, mark: 4, bits: 16}[f]
}

// example tells people how the field is written.
func (f field) example() string {
	return [...]string{ifname: "lab0", mac: "52:54:00:12:34:56", ipv4: "10.0.0.1", ipv6: "fd00::1",
		proto: "tcp", port: "80", mark: "0x00000101", bits: "fd00::1"}[f]
}

// encode returns the lowest and the highest value that a word stands for; they
// differ for ranges of ports only.
func (f field) encode(word string) (low, high []byte, err error) {
	switch f {
	case ifname:
		low, err = encodeName(word)
	case mac:
		low, err = encodeMAC(word)
	case ipv4, ipv6, bits:
		low, err = f.encodeAddr(word)
	case proto:
		low, err = encodeProto(word)
	case mark:
		low, err = encodeMark(word)
	case port:
		return encodePorts(word)
	}
	return low, low, err
}

// encodeName pads a name to IFNAMSIZ. The forbidden characters are those the
// kernel refuses in a name, and those that nft text cannot carry in quotes: it
// has no escape for a quote, and reads a final asterisk as a wildcard.
func encodeName(name string) ([]byte, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ || strings.ContainsFunc(name, forbidden) {
		return nil, fmt.Errorf("%q is not an interface name of 1 to 15 plain characters", name)
	}
	return append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...), nil
}

func forbidden(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/:"*\`, r) }

func encodeMAC(word string) ([]byte, error) {
	m, err := spec.ParseMAC(word)
	if err != nil {
		return nil, fmt.Errorf("%q is not an Ethernet address such as 52:54:00:12:34:56", word)
	}
	return m[:], nil
}

func (f field) encodeAddr(word string) ([]byte, error) {
	addr, err := netip.ParseAddr(word)
	if err != nil || addr.BitLen() != 8*f.width() || addr.Zone() != "" {
		return nil, fmt.Errorf("%q is not an address of %d bits", word, 8*f.width())
	}
	return addr.AsSlice(), nil
}

// protocols have ports.
var protocols = map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}

func encodeProto(word string) ([]byte, error) {
	n, ok := protocols[word]
	if !ok {
		return nil, fmt.Errorf("%q is not tcp, udp or sctp", word)
	}
	return []byte{n}, nil
}

func encodeMark(word string) ([]byte, error) {
	n, err := strconv.ParseUint(word, 0, 32)
	if err != nil || word != printMark(uint32(n)) {
		return nil, fmt.Errorf("%q is not a mark such as 0x00000101", word)
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(n)), nil
}

func printMark(n uint32) string { return fmt.Sprintf("0x%08x", n) }

// encodePorts reads 80, or 2000-2999.
func encodePorts(word string) (low, high []byte, err error) {
	first, last, isRange := strings.Cut(word, "-")
	if !isRange {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || word != printPorts(uint16(a), uint16(b)) {
		return nil, nil, fmt.Errorf("%q is not a port or a range of ports such as 2000-2999", word)
	}
	return binary.BigEndian.AppendUint16(nil, uint16(a)), binary.BigEndian.AppendUint16(nil, uint16(b)), nil
}

func printPorts(a, b uint16) string {
	if a < b {
		return fmt.Sprintf("%d-%d", a, b)
	}
	return fmt.Sprint(b)
}

// decode is the inverse of encode.
func (f field) decode(low, high []byte) string {
	switch f {
	case ifname:
		return cname(low)
	case mac:
		return spec.MAC(low).String()
	case proto:
		return protocolName(low[0])
	case port:
		return printPorts(binary.BigEndian.Uint16(low), binary.BigEndian.Uint16(high))
	case mark:
		return printMark(binary.NativeEndian.Uint32(low))
	}
	addr, _ := netip.AddrFromSlice(low)
	return addr.String()
}

// quote writes the word for nft -f.
func (f field) quote(word string) string {
	switch f {
	case ifname:
		return `"` + word + `"`
	case bits:
		if addr, err := netip.ParseAddr(word); err == nil {
			return fmt.Sprintf("0x%x", addr.AsSlice())
		}
	}
	return word
}

func protocolName(n byte) string {
	for name, number := range protocols {
		if number == n {
			return name
		}
	}
	return fmt.Sprint(n)
}

func cname(b []byte) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}
