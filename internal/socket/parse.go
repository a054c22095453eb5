package socket

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// frame is a received frame without its Ethernet header.
type frame struct {
	etherType uint16
	mac       spec.MAC // source
	status    uint32   // TP_STATUS_* of packet(7)
	vlan      uint16   // tag control information, when the status says so
	body      []byte
}

// kind is what a frame turned out to be.
type kind uint8

const (
	malformed kind = iota
	tagged         // belongs to a VLAN
	dhcp4
	dhcp6
	solicit
	arp     // a reply: From is the sender's
	answer4 // a DHCPv4 server's to a client
)

const (
	sizeIPv4  = 20 // at least
	sizeIPv6  = 40
	sizeUDP   = 8
	sizeARP   = 28
	sizeICMP  = 4 // at least
	sizeRS    = 8 // at least
	maskVLAN  = 0xfff
	hopLimit  = 64  // what we send with
	neighbour = 255 // hop limit that proves the sender to be on the link (RFC 4861 section 6.1.1)
)

// parse checks a frame as the kernel checks it for an ordinary socket, and takes
// it apart. The filter let only the wanted kinds through, but is not trusted
// with lengths.
func (f frame) parse() (kind, Packet) {
	// Priority tags (VLAN 0) are ordinary frames (IEEE 802.1Q).
	if f.status&unix.TP_STATUS_VLAN_VALID != 0 && f.vlan&maskVLAN != 0 {
		return tagged, Packet{}
	}
	p := Packet{MAC: f.mac}
	switch f.etherType {
	case unix.ETH_P_IP:
		return f.ipv4(p)
	case unix.ETH_P_IPV6:
		return f.ipv6(p)
	case unix.ETH_P_ARP:
		return f.arp(p)
	}
	return malformed, p
}

// ipv4 reads an IPv4 datagram. What follows its total length is padding to the
// least size of a frame.
func (f frame) ipv4(p Packet) (kind, Packet) {
	b := f.body
	if len(b) < sizeIPv4 || b[0]>>4 != 4 {
		return malformed, p
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < sizeIPv4 || total < header || total > len(b) || checksum(sum(0, b[:header])) != 0 {
		return malformed, p
	}
	if b[9] != unix.IPPROTO_UDP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return malformed, p
	}
	p.HopLimit = b[8]
	from, to := netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
	return f.udp(p, from, to, b[header:total])
}

// ipv6 reads an IPv6 packet without extension headers.
func (f frame) ipv6(p Packet) (kind, Packet) {
	b := f.body
	if len(b) < sizeIPv6 || b[0]>>4 != 6 {
		return malformed, p
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length > len(b)-sizeIPv6 {
		return malformed, p
	}
	p.HopLimit = b[7]
	from, to := netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	if from.Is4In6() || to.Is4In6() { // no such address is on a wire (RFC 4291 section 2.5.5.2)
		return malformed, p
	}
	payload := b[sizeIPv6 : sizeIPv6+length]
	switch b[6] {
	case unix.IPPROTO_UDP:
		return f.udp(p, from, to, payload)
	case unix.IPPROTO_ICMPV6:
		return f.icmp(p, from, to, payload)
	}
	return malformed, p
}

func (f frame) udp(p Packet, from, to netip.Addr, b []byte) (kind, Packet) {
	if len(b) < sizeUDP {
		return malformed, p
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	if length < sizeUDP || length > len(b) {
		return malformed, p
	}
	b = b[:length]
	// A checksum of 0 is none, in IPv4 only (RFC 8200 section 8.1).
	unsummed := from.Is4() && b[6] == 0 && b[7] == 0
	if !unsummed && !f.sound(from, to, unix.IPPROTO_UDP, b) || from.Is6() && b[6] == 0 && b[7] == 0 {
		return malformed, p
	}
	p.From = netip.AddrPortFrom(from, binary.BigEndian.Uint16(b))
	p.To = netip.AddrPortFrom(to, binary.BigEndian.Uint16(b[2:]))
	p.Payload = b[sizeUDP:]
	switch {
	case from.Is4() && p.To.Port() == portDHCP4:
		return dhcp4, p
	case from.Is4() && p.To.Port() == portClient:
		return answer4, p
	case from.Is6() && p.To.Port() == portDHCP6:
		return dhcp6, p
	}
	return malformed, p
}

func (f frame) icmp(p Packet, from, to netip.Addr, b []byte) (kind, Packet) {
	if len(b) < sizeRS || b[0] != icmpSolicit || b[1] != 0 || p.HopLimit != neighbour {
		return malformed, p
	}
	if !f.sound(from, to, unix.IPPROTO_ICMPV6, b) {
		return malformed, p
	}
	p.From, p.To, p.Payload = netip.AddrPortFrom(from, 0), netip.AddrPortFrom(to, 0), b
	return solicit, p
}

// sound verifies a checksum. A guest that leaves checksums to its NIC sends
// frames to its own host without one; the kernel says which.
func (f frame) sound(from, to netip.Addr, proto uint8, b []byte) bool {
	return f.status&unix.TP_STATUS_CSUMNOTREADY != 0 ||
		checksum(sum(pseudoHeader(from, to, proto, len(b)), b)) == 0
}

// arp reads an ARP reply (RFC 826) of IPv4 on Ethernet. Whose it is, is told by the
// frame: of that the bridge learns behind which port it came in, while the sender's
// address inside is any that a guest cares to write.
func (f frame) arp(p Packet) (kind, Packet) {
	b := f.body
	if len(b) < sizeARP || binary.BigEndian.Uint64(b) != arpIPv4|arpReply {
		return malformed, p
	}
	p.From = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[14:])), 0)
	if p.MAC.IsZero() || p.MAC.IsMulticast() || p.From.Addr().IsUnspecified() {
		return malformed, p
	}
	return arp, p
}
