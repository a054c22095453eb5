package testhost

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// defaultTTL is what Linux sends with.
const defaultTTL = 64

// Frame puts a packet together: an Ethernet frame with right lengths and
// checksums, whatever its addresses claim.
func (p Packet) Frame() ([]byte, error) {
	if p.Src.Is4() != p.Dst.Is4() || !p.Src.IsValid() || !p.Dst.IsValid() {
		return nil, fmt.Errorf("build packet %s > %s: the addresses are not of one family", p.Src, p.Dst)
	}
	var etherType uint16
	var body []byte
	switch {
	case p.Proto == ARP && p.Src.Is4():
		etherType, body = EtherARP, p.arp()
	case p.Src.Is4():
		etherType, body = EtherIPv4, p.ipv4()
	default:
		etherType, body = EtherIPv6, p.ipv6()
	}
	if body == nil {
		return nil, fmt.Errorf("build packet %s > %s: %w", p.Src, p.Dst, errors.New("the protocol is not icmp, tcp, udp or arp"))
	}
	frame := make([]byte, 0, 14+len(body))
	frame = append(frame, p.DstMAC[:]...)
	frame = append(frame, p.SrcMAC[:]...)
	frame = binary.BigEndian.AppendUint16(frame, etherType)
	return p.tagged(append(frame, body...)), nil
}

func (p Packet) ttl() uint8 {
	if p.TTL == 0 {
		return defaultTTL
	}
	return p.TTL
}

func (p Packet) ipv4() []byte {
	proto, payload := p.transport()
	if payload == nil {
		return nil
	}
	h := append(make([]byte, 20, 60+len(payload)), p.options()...)
	h[0] = 4<<4 | uint8(len(h)/4)
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	h[8], h[9] = p.ttl(), proto
	copy(h[12:], p.Src.AsSlice())
	copy(h[16:], p.Dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], checksum(0, h))
	return append(h, payload...)
}

func (p Packet) ipv6() []byte {
	proto, payload := p.transport()
	if payload == nil {
		return nil
	}
	proto, payload = p.extended(proto, payload)
	h := make([]byte, 40, 40+len(payload))
	h[0] = 6 << 4
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	h[6], h[7] = proto, p.ttl()
	copy(h[8:], p.Src.AsSlice())
	copy(h[24:], p.Dst.AsSlice())
	return append(h, payload...)
}

// transport builds the header and payload of the protocol, with its checksum;
// nil is a protocol it cannot build.
func (p Packet) transport() (proto uint8, b []byte) {
	at := 0 // where the checksum goes
	switch p.Proto {
	case ICMP:
		proto, at, b = protoICMP, 2, []byte{p.Type, p.Code, 0, 0}
		if p.Src.Is6() {
			proto = protoICMPv6
		}
	case UDP:
		proto, at, b = protoUDP, 6, make([]byte, 8)
		binary.BigEndian.PutUint16(b[4:], uint16(8+len(p.Payload)))
	case TCP:
		proto, at, b = protoTCP, 16, make([]byte, 20)
		binary.BigEndian.PutUint32(b[4:], p.Seq)
		b[12], b[13] = 5<<4, p.Flags
		binary.BigEndian.PutUint16(b[14:], 0xffff) // window
	default:
		return 0, nil
	}
	if p.Proto != ICMP {
		binary.BigEndian.PutUint16(b, p.SrcPort)
		binary.BigEndian.PutUint16(b[2:], p.DstPort)
	}
	b = append(b, p.Payload...)
	sum := checksum(p.pseudoHeader(proto, len(b)), b)
	if sum == 0 && p.Proto == UDP {
		sum = 0xffff // RFC 768: zero would mean "no checksum"
	}
	binary.BigEndian.PutUint16(b[at:], sum)
	return proto, b
}

// pseudoHeader sums what a transport checksum covers besides the message itself
// (RFC 768, RFC 8200 section 8.1); ICMP over IPv4 covers nothing else.
func (p Packet) pseudoHeader(proto uint8, length int) uint32 {
	if proto == protoICMP {
		return 0
	}
	return sum16(p.Src.AsSlice()) + sum16(p.Dst.AsSlice()) + uint32(proto) + uint32(length)
}

func (p Packet) arp() []byte {
	b := make([]byte, 0, 28)
	b = binary.BigEndian.AppendUint16(b, 1) // Ethernet
	b = binary.BigEndian.AppendUint16(b, EtherIPv4)
	b = append(b, 6, 4)
	b = binary.BigEndian.AppendUint16(b, p.Op)
	sender := p.SenderMAC
	if sender.IsZero() {
		sender = p.SrcMAC
	}
	b = append(b, sender[:]...)
	b = append(b, p.Src.AsSlice()...)
	b = append(b, p.TargetMAC[:]...)
	return append(b, p.Dst.AsSlice()...)
}

// checksum is the Internet checksum (RFC 1071) of b on top of a partial sum.
func checksum(partial uint32, b []byte) uint16 {
	s := partial + sum16(b)
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}

// sum16 cannot overflow: a frame has fewer than 2^16 words.
func sum16(b []byte) (s uint32) {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}
