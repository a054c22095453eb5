package nft

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
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
	bits    // an IPv6 address that is a number to nft
	bits4   // the same of an IPv4 address
	half    // the first half of an IPv6 address, a number to nft
	macBits // an Ethernet address that is a number to nft
	sender  // an Ethernet address and the type of its frame, a number to nft
	net4    // an IPv4 prefix, a range of numbers to nft
	net6    // the same of IPv6
)

// width is the length of the field in bytes, without the padding behind it.
func (f field) width() int {
	return [...]int{ifname: unix.IFNAMSIZ, mac: 6, ipv4: 4, ipv6: 16, proto: 1, port: 2, mark: 4, bits: 16,
		bits4: 4, half: 8, macBits: 6, sender: 8, net4: 4, net6: 16}[f]
}

// example tells people how the field is written.
func (f field) example() string {
	return [...]string{ifname: "lab0", mac: "52:54:00:12:34:56", ipv4: "10.0.0.1", ipv6: "fd00::1",
		proto: "tcp", port: "80", mark: "0x00000101", bits: "fd00::1",
		bits4: "10.0.0.1", half: "fd00::", macBits: "52:54:00:12:34:56", sender: "52:54:00:12:34:56/0x0800", net4: "10.0.0.0/24", net6: "fd00::/64"}[f]
}

// encode returns the lowest and the highest value that a word stands for; they
// differ for ranges of ports only.
func (f field) encode(word string) (low, high []byte, err error) {
	switch f {
	case ifname:
		low, err = encodeName(word)
	case mac, macBits:
		low, err = encodeMAC(word)
	case sender:
		low, err = encodeSender(word)
	case half:
		low, err = encodeHalf(word)
	case ipv4, ipv6, bits, bits4:
		low, err = f.encodeAddr(word)
	case proto:
		low, err = encodeProto(word)
	case mark:
		low, err = encodeMark(word)
	case port:
		return encodePorts(word)
	case net4, net6:
		return f.encodeNet(word)
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

// encodeSender reads what a frame tells between the address it is sent to and its
// content: whose it is, and the EtherType.
func encodeSender(word string) ([]byte, error) {
	address, typ, _ := strings.Cut(word, "/")
	low, err := encodeMAC(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(typ, 0, 16)
	if err != nil || typ != fmt.Sprintf("0x%04x", n) {
		return nil, fmt.Errorf("%q is not an EtherType such as 0x0800", typ)
	}
	return binary.BigEndian.AppendUint16(low, uint16(n)), nil
}

func (f field) encodeAddr(word string) ([]byte, error) {
	addr, err := netip.ParseAddr(word)
	if err != nil || addr.BitLen() != 8*f.width() || addr.Zone() != "" {
		return nil, fmt.Errorf("%q is not an address of %d bits", word, 8*f.width())
	}
	return addr.AsSlice(), nil
}

// encodeNet returns the first and the last address of a prefix.
func (f field) encodeNet(word string) (low, high []byte, err error) {
	p, err := netip.ParsePrefix(word)
	if err != nil || p != p.Masked() || p.Addr().BitLen() != 8*f.width() {
		return nil, nil, fmt.Errorf("%q is not a prefix of addresses of %d bits", word, 8*f.width())
	}
	low, high = p.Addr().AsSlice(), p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(high); i++ {
		high[i/8] |= 0x80 >> (i % 8)
	}
	return low, high, nil
}

// decodeNet is the inverse; a range that is no prefix is told as it is.
func (f field) decodeNet(low, high []byte) string {
	first, _ := netip.AddrFromSlice(low)
	for bits := 8 * len(low); bits >= 0; bits-- {
		p := netip.PrefixFrom(first, bits)
		if a, b, err := f.encodeNet(p.String()); err == nil && string(a) == string(low) && string(b) == string(high) {
			return p.String()
		}
	}
	last, _ := netip.AddrFromSlice(high)
	return first.String() + "-" + last.String()
}

// encodeHalf reads a prefix of 64 bits by its first address.
func encodeHalf(word string) ([]byte, error) {
	addr, err := netip.ParseAddr(word)
	if err != nil || addr.Zone() != "" || !addr.Is6() || netip.PrefixFrom(addr, 64).Masked().Addr() != addr {
		return nil, fmt.Errorf("%q is not the first address of a prefix of 64 bits", word)
	}
	return addr.AsSlice()[:8], nil
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
	case mac, macBits:
		return spec.MAC(low).String()
	case sender:
		return fmt.Sprintf("%s/0x%04x", spec.MAC(low[:6]), low[6:])
	case net4, net6:
		return f.decodeNet(low, high)
	case half:
		low = append(slices.Clone(low), make([]byte, 8)...)
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
	case bits, bits4, half, macBits, sender:
		if b, _, err := f.encode(word); err == nil {
			return fmt.Sprintf("0x%x", b)
		}
	case net4, net6:
		if low, high, err := f.encode(word); err == nil {
			return fmt.Sprintf("0x%x-0x%x", low, high)
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
