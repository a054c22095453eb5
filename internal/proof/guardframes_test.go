package proof

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

var (
	all      = spec.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	allNodes = spec.MAC{0x33, 0x33, 0, 0, 0, 1}
	nodes    = netip.MustParseAddr("ff02::1")
	every    = netip.MustParseAddr("255.255.255.255")
	nobody   = netip.IPv4Unspecified()
)

// frames puts packets together.
func frames(packets ...testhost.Packet) (list [][]byte) {
	for _, p := range packets {
		f, err := p.Frame()
		if err != nil {
			panic(err)
		}
		list = append(list, f)
	}
	return list
}

// pieces cuts a packet into fragments.
func pieces(p testhost.Packet, size int) [][]byte {
	list, err := p.Fragments(size)
	if err != nil {
		panic(err)
	}
	return list
}

// udp is a datagram of evil's to somebody, from any address.
func (s *scene) udp(from netip.Addr, to party) testhost.Packet {
	p := testhost.Packet{Proto: testhost.UDP, SrcMAC: s.evil.mac, DstMAC: to.mac, Src: from, Dst: to.four, SrcPort: 4000, DstPort: 9, Payload: []byte("an attack")}
	if from.Is6() {
		p.Dst = to.six
	}
	return p
}

// arp says that an address has a MAC; the frame is evil's.
func (s *scene) arp(op uint16, mac spec.MAC, of netip.Addr, to party) testhost.Packet {
	return testhost.Packet{Proto: testhost.ARP, Op: op, SrcMAC: s.evil.mac, DstMAC: to.mac, SenderMAC: mac, Src: of, TargetMAC: to.mac, Dst: to.four}
}

// toAll is what everybody on the segment hears of a packet.
func toAll(p testhost.Packet) testhost.Packet {
	p.DstMAC = all
	if p.Proto == testhost.ARP {
		p.TargetMAC, p.Dst = spec.MAC{}, p.Src
		return p
	}
	p.Dst = every
	if p.Src.Is6() {
		p.DstMAC, p.Dst = allNodes, nodes
	}
	return p
}

// icmp6 is a message that only neighbours send (RFC 4861: hop limit 255), to all.
func (s *scene) icmp6(kind uint8, from netip.Addr, body ...[]byte) testhost.Packet {
	return testhost.Packet{Proto: testhost.ICMP, Type: kind, TTL: 255, SrcMAC: s.evil.mac, DstMAC: allNodes, Src: from, Dst: nodes, Payload: slices.Concat(body...)}
}

// linkLayer is the option with an Ethernet address (RFC 4861, section 4.6.1): 1 is
// that of the source, 2 that of the target.
func linkLayer(kind byte, mac spec.MAC) []byte { return append([]byte{kind, 1}, mac[:]...) }

// advert is evil's advertisement that an address is its own, with the override flag.
func (s *scene) advert(from, of netip.Addr) testhost.Packet {
	return s.icmp6(136, from, []byte{0x20, 0, 0, 0}, of.AsSlice(), linkLayer(2, s.evil.mac))
}

// solicit asks for an address in the name of another.
func (s *scene) solicit(from, of netip.Addr) testhost.Packet {
	return s.icmp6(135, from, make([]byte, 4), of.AsSlice(), linkLayer(1, s.evil.mac))
}

// router is an advertisement of evil as a router, with a prefix of its own.
func (s *scene) router() testhost.Packet {
	prefix := slices.Concat([]byte{3, 4, 64, 0xc0, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0}, netip.MustParseAddr("2001:db8:bad::").AsSlice())
	return s.icmp6(134, s.evil.local, []byte{64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, linkLayer(1, s.evil.mac), prefix)
}

// redirect says that the way to the gateway is through evil.
func (s *scene) redirect() testhost.Packet {
	p := s.icmp6(137, s.evil.local, make([]byte, 4), s.evil.local.AsSlice(), s.gateway.six.AsSlice(), linkLayer(2, s.evil.mac))
	p.DstMAC, p.Dst = s.victim.mac, s.victim.six
	return p
}

// dhcp4 is a message of DHCPv4 of a server or, to port 67, of a client.
func (s *scene) dhcp4(toServer bool, kind dhcpv4.MessageType, chaddr spec.MAC, more ...dhcpv4.Modifier) testhost.Packet {
	m, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithMessageType(kind), dhcpv4.WithHwAddr(net.HardwareAddr(chaddr[:]))}, more...)...)
	if err != nil {
		panic(err)
	}
	p := testhost.Packet{Proto: testhost.UDP, SrcMAC: s.evil.mac, DstMAC: all, Src: nobody, Dst: every, SrcPort: 68, DstPort: 67}
	if !toServer {
		m.OpCode, m.YourIPAddr = dhcpv4.OpcodeBootReply, s.victim.four.AsSlice()
		m.UpdateOption(dhcpv4.OptServerIdentifier(s.evil.four.AsSlice()))
		m.UpdateOption(dhcpv4.OptRouter(s.evil.four.AsSlice()))
		p.Src, p.SrcPort, p.DstPort = s.evil.four, 67, 68
	}
	p.Payload = m.ToBytes()
	return p
}

// dhcp6 is an answer to a DHCPv6 client that evil gives.
func (s *scene) dhcp6(kind dhcpv6.MessageType) testhost.Packet {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		panic(err)
	}
	m.MessageType = kind
	return testhost.Packet{Proto: testhost.UDP, SrcMAC: s.evil.mac, DstMAC: s.victim.mac, Src: s.evil.local, Dst: s.victim.local, SrcPort: 547, DstPort: 546, Payload: m.ToBytes()}
}

// tagged puts VLAN tags around a packet.
func tagged(p testhost.Packet, tags ...testhost.Tag) testhost.Packet {
	p.Tags = tags
	return p
}

// behind puts an extension header before what a packet is.
func behind(proto uint8, p testhost.Packet) testhost.Packet {
	p.Extensions = append(p.Extensions, testhost.Extension{Proto: proto, Body: []byte{1, 4, 0, 0, 0, 0}}) // PadN
	return p
}

// with gives a packet IPv4 options.
func with(p testhost.Packet, options ...byte) testhost.Packet {
	p.Options = options
	return p
}

// route goes by the gateway: option 131 is loose, 137 strict (RFC 791, section 3.1).
func (s *scene) route(kind byte) []byte {
	return append([]byte{kind, 7, 4}, s.gateway.four.AsSlice()...)
}

// release gives the victim's address back, sent from an address and for a MAC.
func (s *scene) release(mac spec.MAC, from netip.Addr) testhost.Packet {
	p := s.dhcp4(true, dhcpv4.MessageTypeRelease, mac, dhcpv4.WithClientIP(s.victim.four.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(s.gateway.four.AsSlice())))
	p.Src, p.Dst, p.DstMAC = from, s.gateway.four, s.gateway.mac
	return p
}

// someMAC is one that nobody has; it is made for this machine alone.
func someMAC() (m spec.MAC) {
	binary.BigEndian.PutUint32(m[2:], rand.Uint32())
	m[0], m[1] = 0x02, 0xee
	return m
}

// times makes as many frames as are asked for.
func times(n int, one func(i int) testhost.Packet) (list [][]byte) {
	for i := range n {
		list = append(list, frames(one(i))...)
	}
	return list
}
