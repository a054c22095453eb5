package peers

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/testhost"
)

// Message is one DHCP message on the wire.
type Message struct {
	At       time.Time
	Out      bool // sent by the client
	Src, Dst netip.Addr
	Type     string // DISCOVER, OFFER, …; SOLICIT, ADVERTISE, …
	XID      uint32

	V4 *dhcpv4.DHCPv4  // nil for DHCPv6
	V6 *dhcpv6.Message // nil for DHCPv4
}

// String prints the message in one line.
func (m Message) String() string {
	dir := "<-"
	if m.Out {
		dir = "->"
	}
	s := fmt.Sprintf("%s %s %s %s > %s xid %06x", m.At.Format("15:04:05.000"), dir, m.Type, m.Src, m.Dst, m.XID)
	if m.V4 != nil {
		s += fmt.Sprintf(" ciaddr %s yiaddr %s", m.V4.ClientIPAddr, m.V4.YourIPAddr)
	}
	return s
}

// Ports of DHCP: server and client of both families.
const (
	server4, client4 = 67, 68
	client6, server6 = 546, 547
)

// isDHCP tells a client's messages and those to it; a relay agent's are not.
func isDHCP(p testhost.Packet) bool {
	return p.Proto == testhost.UDP &&
		(p.DstPort == server4 || p.DstPort == client4 || p.DstPort == server6 || p.DstPort == client6)
}

// parse takes a packet apart; ok is false for what is not a message.
func parse(p testhost.Packet) (m Message, ok bool) {
	if !isDHCP(p) {
		return m, false
	}
	m = Message{At: p.At, Src: p.Src, Dst: p.Dst, Out: p.DstPort == server4 || p.DstPort == server6}
	if p.DstPort == server4 || p.DstPort == client4 {
		v4, err := dhcpv4.FromBytes(p.Payload)
		if err != nil {
			return m, false
		}
		m.V4, m.Type, m.XID = v4, v4.MessageType().String(), binary.BigEndian.Uint32(v4.TransactionID[:])
		return m, true
	}
	v6, err := dhcpv6.MessageFromBytes(p.Payload)
	if err != nil {
		return m, false
	}
	id := v6.TransactionID
	m.V6, m.Type, m.XID = v6, strings.ToUpper(v6.MessageType.String()), uint32(id[0])<<16|uint32(id[1])<<8|uint32(id[2])
	return m, true
}

// timers are the times after which the client renews and rebinds (T1 and T2 of
// RFC 2131, section 4.4.5, and RFC 8415, section 21.4), and the lease ends. A
// server that leaves them to the client gets the usual half and seven eighths,
// or four fifths.
func (m Message) timers() (renew, rebind, lease time.Duration) {
	if m.V4 != nil {
		lease = m.V4.IPAddressLeaseTime(0)
		return m.V4.IPAddressRenewalTime(lease / 2), m.V4.IPAddressRebindingTime(lease * 7 / 8), lease
	}
	ia := m.V6.Options.OneIANA()
	if ia == nil || ia.Options.OneAddress() == nil {
		return 0, 0, 0
	}
	a := ia.Options.OneAddress()
	if ia.T1 == 0 && ia.T2 == 0 {
		return a.PreferredLifetime / 2, a.PreferredLifetime * 4 / 5, a.ValidLifetime
	}
	return ia.T1, ia.T2, a.ValidLifetime
}

// asksOneServer is a renewal of DHCPv4: it goes to the server that gave the
// lease (RFC 2131, section 4.3.2).
func asksOneServer(m Message) bool {
	return m.Type == "REQUEST" && m.V4 != nil && !m.V4.ClientIPAddr.IsUnspecified() && !broadcast(m.Dst)
}

// asksAnyServer is a client that has an address and asks whoever is there: it is
// broadcast and names no server. With ciaddr it is REBINDING, with option 50 it
// is INIT-REBOOT, and a server treats both alike (RFC 2131, section 4.3.2).
func asksAnyServer(m Message) bool {
	return m.Type == "REQUEST" && m.V4 != nil && broadcast(m.Dst) && len(m.V4.ServerIdentifier()) == 0
}

func broadcast(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// is matches messages of one type.
func is(kind string) func(Message) bool { return func(m Message) bool { return m.Type == kind } }

// duid prints a DHCP unique identifier in hexadecimal.
func duid(d dhcpv6.DUID) string {
	if d == nil {
		return ""
	}
	return hex.EncodeToString(d.ToBytes())
}
