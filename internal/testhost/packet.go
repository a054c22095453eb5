package testhost

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"kvmnet/internal/spec"
)

// Ethernet types and IP protocol numbers (IANA) that packets are told apart by.
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherIPv6 = 0x86dd

	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// TCP flags, as in the header.
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
)

// Packet is an Ethernet frame, taken apart. Capture fills in what it finds;
// Spoof sends what is filled in.
type Packet struct {
	At        time.Time // captured only
	Interface string    // captured only
	Outgoing  bool      // captured only: sent by this host

	SrcMAC, DstMAC spec.MAC
	EtherType      uint16
	Proto          Proto      // "" for what is none of ours; ICMP stands for both families
	Src, Dst       netip.Addr // of ARP: the sender's and the target's protocol address
	TTL            uint8      // hop limit of IPv6

	SrcPort, DstPort uint16 // tcp, udp
	Flags            uint8  // tcp
	Seq              uint32 // tcp
	Type, Code       uint8  // icmp

	Op                   uint16   // arp: 1 request, 2 reply
	SenderMAC, TargetMAC spec.MAC // arp

	Payload []byte // what follows the TCP or UDP header, or the first 4 bytes of an ICMP message

	Tags       []Tag       // sent only: VLAN tags, the outermost first
	Options    []byte      // sent only: of the IPv4 header
	Extensions []Extension // sent only: of IPv6, the outermost first

	Raw []byte // captured only: the frame, without its outermost VLAN tag, which the kernel takes away
}

// IsEcho reports an ICMP echo request of either family.
func (p Packet) IsEcho() bool {
	return p.Proto == ICMP && (p.EtherType == EtherIPv4 && p.Type == 8 || p.EtherType == EtherIPv6 && p.Type == 128)
}

// IsProbe reports what a Probe sends first: an echo request, the first packet of
// a TCP connection, or any UDP. Neighbour discovery and its kin are not.
func (p Packet) IsProbe() bool {
	return p.IsEcho() || p.Proto == UDP || p.Proto == TCP && p.Flags&(SYN|ACK) == SYN
}

// String prints the packet in one line, roughly as tcpdump does.
func (p Packet) String() string {
	dir := "in"
	if p.Outgoing {
		dir = "out"
	}
	s := fmt.Sprintf("%s %s %s > %s ", p.Interface, dir, p.SrcMAC, p.DstMAC)
	switch p.Proto {
	case ARP:
		return s + fmt.Sprintf("arp op %d %s (%s) > %s", p.Op, p.Src, p.SenderMAC, p.Dst)
	case ICMP:
		return s + fmt.Sprintf("icmp %s > %s type %d code %d", p.Src, p.Dst, p.Type, p.Code)
	case TCP, UDP:
		return s + fmt.Sprintf("%s %s > %s flags %#x length %d", p.Proto,
			netip.AddrPortFrom(p.Src, p.SrcPort), netip.AddrPortFrom(p.Dst, p.DstPort), p.Flags, len(p.Payload))
	}
	return s + fmt.Sprintf("ethertype %#04x %s > %s", p.EtherType, p.Src, p.Dst)
}

// ParsePacket takes an Ethernet frame apart as far as it understands it; the
// rest of the fields stay zero. It keeps no reference to the frame.
func ParsePacket(frame []byte) Packet {
	var p Packet
	if len(frame) < 14 {
		return p
	}
	p.DstMAC, p.SrcMAC = spec.MAC(frame[0:6]), spec.MAC(frame[6:12])
	p.EtherType = binary.BigEndian.Uint16(frame[12:])
	switch body := frame[14:]; p.EtherType {
	case EtherIPv4:
		p.parseIPv4(body)
	case EtherIPv6:
		p.parseIPv6(body)
	case EtherARP:
		p.parseARP(body)
	}
	p.Payload = append([]byte(nil), p.Payload...)
	return p
}

func (p *Packet) parseIPv4(b []byte) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return
	}
	p.TTL = b[8]
	p.Src, p.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	fragment := binary.BigEndian.Uint16(b[6:]) & 0x1fff
	if header < 20 || total < header || total > len(b) || fragment != 0 {
		return
	}
	p.parseTransport(b[9], b[header:total])
}

// parseIPv6 skips the extension headers that have the common form (RFC 8200,
// section 4.1).
func (p *Packet) parseIPv6(b []byte) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return
	}
	p.TTL = b[7]
	p.Src, p.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	next, length := b[6], int(binary.BigEndian.Uint16(b[4:]))
	if b = b[40:]; length > len(b) {
		return
	}
	b = b[:length]
	for next == 0 || next == 43 || next == 60 {
		if len(b) < 8 || len(b) < 8+int(b[1])*8 {
			return
		}
		next, b = b[0], b[8+int(b[1])*8:]
	}
	p.parseTransport(next, b)
}

func (p *Packet) parseTransport(proto uint8, b []byte) {
	switch {
	case (proto == protoICMP || proto == protoICMPv6) && len(b) >= 4:
		p.Proto, p.Type, p.Code, p.Payload = ICMP, b[0], b[1], b[4:]
	case proto == protoUDP && len(b) >= 8:
		p.Proto, p.Payload = UDP, b[8:]
		p.parsePorts(b)
	case proto == protoTCP && len(b) >= 20 && len(b) >= int(b[12]>>4)*4:
		p.Proto, p.Payload = TCP, b[int(b[12]>>4)*4:]
		p.Flags, p.Seq = b[13], binary.BigEndian.Uint32(b[4:])
		p.parsePorts(b)
	}
}

func (p *Packet) parsePorts(b []byte) {
	p.SrcPort, p.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
}

func (p *Packet) parseARP(b []byte) {
	if len(b) < 28 || binary.BigEndian.Uint16(b[2:]) != EtherIPv4 || b[4] != 6 || b[5] != 4 {
		return
	}
	p.Proto, p.Op = ARP, binary.BigEndian.Uint16(b[6:])
	p.SenderMAC, p.TargetMAC = spec.MAC(b[8:14]), spec.MAC(b[18:24])
	p.Src, p.Dst = netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
}
