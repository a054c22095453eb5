package proof

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// attack is what somebody on a segment tries.
type attack struct {
	name   string
	word   string // of the guard that refuses and counts it
	heard  string // who gets it where nothing refuses it: "victim" or "gateway"; "" = nobody, the kernel does not pass it on
	frames func(s *scene) [][]byte
}

// claimed are the attacks that are refused without a guard, too, where the gateway is
// ours: nobody speaks for it.
var claimed = map[string]bool{
	"ARP answer for the gateway": true, "ARP question in the gateway's name": true, "advertisement for the gateway": true,
	"advertisement behind an extension header": true, "solicitation in the gateway's name": true, "router advertisement": true,
	"router advertisement behind a hop-by-hop header": true, "router advertisement behind a destination header": true,
	"router advertisement in fragments": true, "redirect": true, "advertisement for the gateway's link-local address": true,
}

// unknown are the attacks that no guard refuses where the gateway is a host of the LAN:
// whose link-local address it is nobody told us.
var unknown = map[string]bool{"the gateway's link-local address": true, "advertisement for the gateway's link-local address": true}

// attacks are all that are judged by what arrives.
var attacks = joined(macAttacks, addressAttacks, claimAttacks, relayedAttacks, serverAttacks, tagAttacks)

func joined(lists ...[]attack) (all []attack) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// flood is how many frames a flood has.
const flood = 2000

// Frames that are not from the guest's own Ethernet address.
var macAttacks = []attack{
	{"a MAC that nobody has", spec.GuardMAC, "victim", func(s *scene) [][]byte {
		p := s.udp(s.evil.four, s.victim)
		p.SrcMAC = someMAC()
		return frames(p)
	}},
	{"the neighbour's MAC, to steal its port", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		p := s.udp(s.evil.four, s.gateway)
		p.SrcMAC = s.victim.mac
		return frames(p)
	}},
	{"the neighbour's MAC and address", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		four, six := s.udp(s.victim.four, s.gateway), s.udp(s.victim.six, s.gateway)
		four.SrcMAC, six.SrcMAC = s.victim.mac, s.victim.mac
		return frames(four, six)
	}},
	{"the gateway's MAC", spec.GuardMAC, "victim", func(s *scene) [][]byte {
		p := s.udp(s.evil.four, s.victim)
		p.SrcMAC = s.gateway.mac
		return frames(p)
	}},
	{"the broadcast MAC as source", spec.GuardMAC, "", func(s *scene) [][]byte {
		p := s.udp(s.evil.four, s.victim)
		p.SrcMAC = all
		return frames(p)
	}},
	{"a flood of MACs", spec.GuardMAC, "victim", func(s *scene) [][]byte {
		return times(flood, func(int) testhost.Packet {
			p := toAll(s.udp(s.evil.four, s.victim))
			p.SrcMAC = someMAC()
			return p
		})
	}},
	{"leases for hundreds of MACs", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		return times(300, func(int) testhost.Packet {
			mac := someMAC()
			p := s.dhcp4(true, dhcpv4.MessageTypeDiscover, mac)
			p.SrcMAC = mac
			return p
		})
	}},
	{"leases for hundreds of MACs, from its own", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		return times(300, func(int) testhost.Packet { return s.dhcp4(true, dhcpv4.MessageTypeDiscover, someMAC()) })
	}},
	{"release of the neighbour's lease", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		return frames(s.release(s.victim.mac, s.victim.four), s.release(s.victim.mac, s.evil.four))
	}},
	{"ARP with the neighbour's MAC inside", spec.GuardMAC, "gateway", func(s *scene) [][]byte { return frames(s.arp(2, s.victim.mac, s.evil.four, s.gateway)) }},
	{"ARP with a MAC inside that nobody has", spec.GuardMAC, "victim", func(s *scene) [][]byte { return frames(s.arp(1, someMAC(), s.evil.four, s.victim)) }},
	{"advertisement of its address at the neighbour's MAC", spec.GuardMAC, "gateway", func(s *scene) [][]byte {
		return frames(s.icmp6(136, s.evil.six, []byte{0x20, 0, 0, 0}, s.evil.six.AsSlice(), linkLayer(2, s.victim.mac)))
	}},
}

// from is a datagram from an address that is not evil's.
func from(src string, to func(*scene) party) func(*scene) [][]byte {
	return func(s *scene) [][]byte { return frames(s.udp(netip.MustParseAddr(src), to(s))) }
}

func victim(s *scene) party  { return s.victim }
func gateway(s *scene) party { return s.gateway }

// Packets from an address that is not the guest's.
var addressAttacks = []attack{
	{"the neighbour's IPv4 address", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.udp(s.victim.four, s.gateway)) }},
	{"the gateway's IPv4 address", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.udp(s.gateway.four, s.victim)) }},
	{"an IPv4 address of the outside", spec.GuardAddress, "gateway", from("203.0.113.9", gateway)},
	{"an IPv4 address of loopback", spec.GuardAddress, "victim", from("127.0.0.1", victim)},
	{"an IPv4 group as source", spec.GuardAddress, "victim", from("224.0.0.1", victim)},
	{"the IPv4 broadcast as source", spec.GuardAddress, "victim", from("255.255.255.255", victim)},
	{"no IPv4 address, and no DHCP", spec.GuardAddress, "victim", from("0.0.0.0", victim)},
	{"the neighbour's IPv6 address", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.udp(s.victim.six, s.gateway)) }},
	{"the gateway's IPv6 address", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.udp(s.gateway.six, s.victim)) }},
	{"the neighbour's link-local address", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.udp(s.victim.local, s.gateway)) }},
	{"the gateway's link-local address", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.udp(s.gateway.local, s.victim)) }},
	{"an IPv6 address of the outside", spec.GuardAddress, "gateway", from("2001:db8:bad::9", gateway)},
	{"the IPv6 loopback address", spec.GuardAddress, "victim", from("::1", victim)},
	{"an IPv6 group as source", spec.GuardAddress, "victim", from("ff02::1", victim)},
	{"no IPv6 address, to a port", spec.GuardAddress, "victim", from("::", victim)},
	{"the neighbour's address in fragments", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		return append(pieces(s.udp(s.victim.four, s.gateway), 8), pieces(s.udp(s.victim.six, s.gateway), 8)...)
	}},
	{"the neighbour's address behind options", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		return frames(with(s.udp(s.victim.four, s.gateway), 1, 1, 1, 0), behind(testhost.HopByHop, s.udp(s.victim.six, s.gateway)))
	}},
}

// Claims that an address is the guest's own.
var claimAttacks = []attack{
	{"ARP answer for the gateway", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.arp(2, s.evil.mac, s.gateway.four, s.victim)) }},
	{"ARP answer for the neighbour", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.arp(2, s.evil.mac, s.victim.four, s.gateway)) }},
	{"gratuitous ARP for the neighbour", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		return frames(toAll(s.arp(1, s.evil.mac, s.victim.four, s.gateway)), toAll(s.arp(2, s.evil.mac, s.victim.four, s.gateway)))
	}},
	{"ARP question in the gateway's name", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.arp(1, s.evil.mac, s.gateway.four, s.victim)) }},
	{"advertisement for the neighbour", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.advert(s.evil.six, s.victim.six)) }},
	{"advertisement for the neighbour's link-local address", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.advert(s.evil.local, s.victim.local)) }},
	{"advertisement for the gateway", spec.GuardAddress, "victim", func(s *scene) [][]byte {
		return frames(s.advert(s.evil.six, s.gateway.six), s.advert(s.gateway.six, s.gateway.six))
	}},
	{"advertisement for the gateway's link-local address", spec.GuardAddress, "victim", func(s *scene) [][]byte {
		return frames(s.advert(s.evil.local, s.gateway.local), s.advert(s.gateway.local, s.gateway.local))
	}},
	{"advertisement behind an extension header", spec.GuardAddress, "victim", func(s *scene) [][]byte {
		return frames(behind(testhost.HopByHop, s.advert(s.evil.six, s.gateway.six)), behind(testhost.Destination, s.advert(s.evil.six, s.gateway.six)))
	}},
	{"advertisement in fragments", spec.GuardAddress, "victim", func(s *scene) [][]byte {
		return pieces(s.advert(s.evil.six, s.gateway.six), 16)[:1] // half of the address it is about
	}},
	{"solicitation in the neighbour's name", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		return frames(s.solicit(s.victim.six, s.gateway.six), s.solicit(s.victim.local, s.gateway.six))
	}},
	{"solicitation in the gateway's name", spec.GuardAddress, "victim", func(s *scene) [][]byte { return frames(s.solicit(s.gateway.six, s.victim.six)) }},
}

// Questions to services in the name of another, who would get the answer or the blame.
var relayedAttacks = []attack{
	{"DNS question in the neighbour's name", spec.GuardAddress, "gateway", service(53, "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01")},
	{"TFTP request in the neighbour's name", spec.GuardAddress, "gateway", service(69, "\x00\x01boot\x00octet\x00")},
	{"relayed DHCP in the neighbour's name", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		p := s.dhcp4(true, dhcpv4.MessageTypeDiscover, s.evil.mac, dhcpv4.WithGatewayIP(s.victim.four.AsSlice()))
		p.Src, p.Dst, p.DstMAC, p.SrcPort = s.victim.four, s.gateway.four, s.gateway.mac, 67
		return frames(p)
	}},
	{"release in the neighbour's name", spec.GuardAddress, "gateway", func(s *scene) [][]byte { return frames(s.release(s.evil.mac, s.victim.four)) }},
	{"a source route", spec.GuardAddress, "gateway", func(s *scene) [][]byte {
		return frames(with(s.udp(s.evil.four, s.gateway), s.route(131)...), with(s.udp(s.evil.four, s.gateway), s.route(137)...))
	}},
	{"a routing header of type 0", spec.GuardAddress, "victim", func(s *scene) [][]byte {
		p := s.udp(s.evil.six, s.victim)
		p.Extensions = []testhost.Extension{{Proto: testhost.Routing, Body: append([]byte{0, 1, 0, 0, 0, 0}, s.gateway.six.AsSlice()...)}}
		return frames(p)
	}},
}

// service asks a port of the gateway in the victim's name.
func service(port uint16, payload string) func(*scene) [][]byte {
	return func(s *scene) [][]byte {
		var list []testhost.Packet
		for _, src := range []netip.Addr{s.victim.four, s.victim.six} {
			p := s.udp(src, s.gateway)
			p.DstPort, p.Payload = port, []byte(payload)
			list = append(list, p)
		}
		return frames(list...)
	}
}

// What only routers, DHCP servers and switches say.
var serverAttacks = []attack{
	{"router advertisement", spec.GuardServer, "victim", func(s *scene) [][]byte { return frames(s.router()) }},
	{"router advertisement behind a hop-by-hop header", spec.GuardServer, "victim", func(s *scene) [][]byte { return frames(behind(testhost.HopByHop, s.router())) }},
	{"router advertisement behind a destination header", spec.GuardServer, "victim", func(s *scene) [][]byte { return frames(behind(testhost.Destination, s.router())) }},
	{"router advertisement in fragments", spec.GuardServer, "victim", func(s *scene) [][]byte { return pieces(s.router(), 16)[:1] }},
	{"router advertisement hidden in fragments", spec.GuardServer, "victim", func(s *scene) [][]byte { // the first has nothing of it, RFC 7113
		return pieces(behind(testhost.Destination, s.router()), 8)[:1]
	}},
	{"redirect", spec.GuardServer, "victim", func(s *scene) [][]byte { return frames(s.redirect()) }},
	{"DHCP offer", spec.GuardServer, "victim", func(s *scene) [][]byte { return frames(s.dhcp4(false, dhcpv4.MessageTypeOffer, s.victim.mac)) }},
	{"DHCP acknowledgement to the neighbour alone", spec.GuardServer, "victim", func(s *scene) [][]byte {
		p := s.dhcp4(false, dhcpv4.MessageTypeAck, s.victim.mac)
		p.Dst, p.DstMAC = s.victim.four, s.victim.mac
		return frames(p)
	}},
	{"DHCP offer behind options", spec.GuardServer, "victim", func(s *scene) [][]byte {
		return frames(with(s.dhcp4(false, dhcpv4.MessageTypeOffer, s.victim.mac), 1, 1, 1, 1, 1, 1, 1, 0))
	}},
	{"DHCP offer in fragments", spec.GuardServer, "victim", func(s *scene) [][]byte {
		return pieces(s.dhcp4(false, dhcpv4.MessageTypeOffer, s.victim.mac), 8)[:1]
	}},
	{"DHCPv6 answers", spec.GuardServer, "victim", func(s *scene) [][]byte {
		return frames(s.dhcp6(dhcpv6.MessageTypeAdvertise), s.dhcp6(dhcpv6.MessageTypeReply), behind(testhost.Destination, s.dhcp6(dhcpv6.MessageTypeReply)))
	}},
	{"the root of the spanning tree", spec.GuardServer, "victim", func(s *scene) [][]byte { return [][]byte{testhost.BPDU(s.evil.mac)} }},
	{"a switch's name", spec.GuardServer, "", func(s *scene) [][]byte { return [][]byte{testhost.LLDP(s.evil.mac)} }},
}

// Frames with tags, whatever is in them.
var tagAttacks = []attack{
	{"a VLAN tag", spec.GuardTag, "victim", func(s *scene) [][]byte { return frames(tagged(s.udp(s.evil.four, s.victim), testhost.Tag{Number: 7})) }},
	{"a tag with a priority only", spec.GuardTag, "victim", func(s *scene) [][]byte {
		return frames(tagged(s.udp(s.evil.four, s.victim), testhost.Tag{Priority: 7}))
	}},
	{"a provider's tag", spec.GuardTag, "victim", func(s *scene) [][]byte {
		return frames(tagged(s.udp(s.evil.four, s.victim), testhost.Tag{EtherType: testhost.EtherQinQ, Number: 7}))
	}},
	{"two tags", spec.GuardTag, "victim", func(s *scene) [][]byte {
		return frames(tagged(s.udp(s.evil.four, s.victim), testhost.Tag{EtherType: testhost.EtherQinQ, Number: 7}, testhost.Tag{Number: 8}),
			tagged(s.udp(s.evil.four, s.victim), testhost.Tag{Number: 7}, testhost.Tag{Number: 8}))
	}},
	{"a lie in a tag", spec.GuardTag, "victim", func(s *scene) [][]byte {
		return frames(tagged(s.arp(2, s.evil.mac, s.gateway.four, s.victim), testhost.Tag{}), tagged(s.router(), testhost.Tag{Number: 7}))
	}},
}
