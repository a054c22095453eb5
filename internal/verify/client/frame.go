package client

import (
	"encoding/binary"

	"kvmnet/internal/testhost"
)

// frame is a packet off the wire, and what is wrong with its checksums.
type frame struct {
	testhost.Packet
	fault string // "" = nothing
}

func read(b []byte) frame {
	p := testhost.ParsePacket(b)
	f := frame{Packet: p}
	const ethernet = 14
	switch {
	case len(b) < ethernet || p.Proto != testhost.UDP && p.Proto != testhost.ICMP:
	case p.EtherType == testhost.EtherIPv4:
		f.fault = fault4(b[ethernet:])
	case p.EtherType == testhost.EtherIPv6:
		f.fault = fault6(b[ethernet:])
	}
	return f
}

// IP protocol numbers (IANA).
const (
	protoUDP    = 17
	protoICMPv6 = 58
)

// fault4 checks the sums of an IPv4 packet. testhost has checked its lengths. A
// UDP checksum of 0 is none (RFC 768).
func fault4(b []byte) string {
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if sum(0, b[:header]) != 0xffff {
		return "wrong IP checksum"
	}
	if b[9] != protoUDP {
		return ""
	}
	body := b[header:total]
	return faultUDP(b[12:20], body, binary.BigEndian.Uint16(body[6:]) == 0)
}

// fault6 checks the sum of a packet without extension headers; neither DHCPv6 nor
// router advertisements have any.
func fault6(b []byte) string {
	body := b[40 : 40+int(binary.BigEndian.Uint16(b[4:]))]
	switch {
	case b[6] == protoUDP:
		return faultUDP(b[8:40], body, false)
	case b[6] == protoICMPv6 && sum(pseudo(b[8:40], protoICMPv6, body), body) != 0xffff:
		return "wrong ICMPv6 checksum"
	}
	return ""
}

func faultUDP(addresses, body []byte, none bool) string {
	if !none && sum(pseudo(addresses, protoUDP, body), body) != 0xffff {
		return "wrong UDP checksum"
	}
	return ""
}

// pseudo sums what a transport checksum covers besides the message (RFC 768, RFC
// 8200 section 8.1).
func pseudo(addresses []byte, proto uint32, body []byte) uint32 {
	return uint32(sum(0, addresses)) + proto + uint32(len(body))
}

// sum adds 16-bit words with their carries (RFC 1071); a right checksum makes
// 0xffff of the whole.
func sum(s uint32, b []byte) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	for s>>16 != 0 {
		s = s&0xffff + s>>16
	}
	return uint16(s)
}
