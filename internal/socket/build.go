package socket

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// arpIPv4 begins every ARP message of IPv4 on Ethernet; the operation is added.
const arpIPv4 = 1<<48 | unix.ETH_P_IP<<32 | 6<<24 | 4<<16

const arpRequest = 1

// appendIP appends the IP packet that carries p, with all lengths and checksums,
// and says which EtherType it has. Addresses of two families, or more than a
// packet holds, are an error.
func (p Packet) appendIP(b []byte) (etherType uint16, packet []byte, err error) {
	from, to := p.From.Addr(), p.To.Addr()
	size := sizeIPv6 + sizeUDP + len(p.Payload)
	switch {
	case size > 0xffff:
		return 0, nil, fmt.Errorf("build packet to %s: %d bytes are more than one holds", p.To, len(p.Payload))
	case from.Is4() && to.Is4():
		b = p.appendIPv4(b)
		return unix.ETH_P_IP, p.appendUDP(b), nil
	case !from.Is6() || !to.Is6() || from.Is4In6() || to.Is4In6():
		return 0, nil, fmt.Errorf("build packet from %s to %s: the addresses are not of one family", p.From, p.To)
	case p.From.Port() == 0 && p.To.Port() == 0:
		if len(p.Payload) < sizeICMP {
			return 0, nil, fmt.Errorf("build packet to %s: %d bytes are no ICMPv6 message", p.To, len(p.Payload))
		}
		b = p.appendIPv6(b, unix.IPPROTO_ICMPV6, neighbour, len(p.Payload))
		return unix.ETH_P_IPV6, p.appendICMP(b), nil
	}
	b = p.appendIPv6(b, unix.IPPROTO_UDP, hopLimit, sizeUDP+len(p.Payload))
	return unix.ETH_P_IPV6, p.appendUDP(b), nil
}

// appendIPv4 leaves the identification 0: a datagram that nobody fragments needs
// none (RFC 6864 section 4.1).
func (p Packet) appendIPv4(b []byte) []byte {
	at := len(b)
	from, to := p.From.Addr().As4(), p.To.Addr().As4()
	b = append(b, 4<<4|sizeIPv4/4, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(sizeIPv4+sizeUDP+len(p.Payload)))
	b = append(b, 0, 0, 0, 0, hopLimit, unix.IPPROTO_UDP, 0, 0)
	b = append(append(b, from[:]...), to[:]...)
	binary.BigEndian.PutUint16(b[at+10:], checksum(sum(0, b[at:])))
	return b
}

func (p Packet) appendIPv6(b []byte, proto, hops uint8, length int) []byte {
	from, to := p.From.Addr().As16(), p.To.Addr().As16()
	b = append(b, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, proto, hops)
	return append(append(b, from[:]...), to[:]...)
}

func (p Packet) appendUDP(b []byte) []byte {
	at, length := len(b), sizeUDP+len(p.Payload)
	b = binary.BigEndian.AppendUint16(b, p.From.Port())
	b = binary.BigEndian.AppendUint16(b, p.To.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(append(b, 0, 0), p.Payload...)
	c := checksum(sum(pseudoHeader(p.From.Addr(), p.To.Addr(), unix.IPPROTO_UDP, length), b[at:]))
	if c == 0 {
		c = 0xffff // RFC 768: 0 would say that there is none
	}
	binary.BigEndian.PutUint16(b[at+6:], c)
	return b
}

// appendICMP fills in the checksum of the message, whatever it holds there.
func (p Packet) appendICMP(b []byte) []byte {
	at := len(b)
	b = append(b, p.Payload...)
	b[at+2], b[at+3] = 0, 0
	c := checksum(sum(pseudoHeader(p.From.Addr(), p.To.Addr(), unix.IPPROTO_ICMPV6, len(p.Payload)), b[at:]))
	binary.BigEndian.PutUint16(b[at+2:], c)
	return b
}

// appendProbe appends an ARP probe (RFC 5227 section 2.1.1): a request from no
// address, so that nobody's ARP table changes.
func appendProbe(b []byte, from spec.MAC, a netip.Addr) []byte {
	target := a.As4()
	b = binary.BigEndian.AppendUint64(b, arpIPv4|arpRequest)
	b = append(append(b, from[:]...), 0, 0, 0, 0)
	return append(append(b, 0, 0, 0, 0, 0, 0), target[:]...)
}
