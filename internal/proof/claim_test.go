package proof

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"strings"

	"kvmnet/internal/spec"
)

// claims are frames by which a host says that addresses are its own: a gratuitous
// ARP request and reply, and an unsolicited neighbour advertisement.
func claims(mac spec.MAC, four, six netip.Addr) [][]byte {
	return [][]byte{arpFrame(mac, four, 1), arpFrame(mac, four, 2), advertisement(mac, six)}
}

var broadcast = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func arpFrame(mac spec.MAC, a netip.Addr, operation uint16) []byte {
	b := append(append([]byte{}, broadcast...), mac[:]...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, operation)
	b = append(append(b, mac[:]...), a.AsSlice()...)
	b = append(append(b, broadcast...), a.AsSlice()...)
	return append(b, make([]byte, 18)...)
}

// advertisement is what RFC 4861 section 7.2.6 sends to all nodes, with the
// override flag.
func advertisement(mac spec.MAC, a netip.Addr) []byte {
	all := netip.MustParseAddr("ff02::1")
	body := []byte{136, 0, 0, 0, 0x20, 0, 0, 0}
	body = append(append(body, a.AsSlice()...), 2, 1)
	body = append(body, mac[:]...)
	binary.BigEndian.PutUint16(body[2:], checksum6(a, all, body))
	b := append([]byte{0x33, 0x33, 0, 0, 0, 1}, mac[:]...)
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(append(append(b, 58, 255), a.AsSlice()...), all.AsSlice()...)
	return append(b, body...)
}

// checksum6 is that of ICMPv6 (RFC 4443 section 2.3).
func checksum6(src, dst netip.Addr, body []byte) uint16 {
	pseudo := append(append([]byte{}, src.AsSlice()...), dst.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(body)))
	pseudo = append(append(pseudo, 0, 0, 0, 58), body...)
	var sum uint32
	for i := 0; i+1 < len(pseudo); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(pseudo[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func lines(text string) iter.Seq[string] { return strings.Lines(text) }

// contains reports whether a text contains one of the words.
func contains(text string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
