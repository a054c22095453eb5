package dhcpclient

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// kind is the type of an answer.
type kind uint8

const (
	offer kind = iota + 1
	ack
	nak
)

// answer is a message of a server that has been read.
type answer struct {
	kind          kind
	xid           uint32
	server        netip.Addr
	message       string        // why, of a nak
	life          time.Duration // 0 = for ever
	renew, rebind time.Duration
	lease         Lease // without times
}

// forever is the lease time that stands for no end (RFC 2131 section 3.3).
const forever = 0xffffffff * time.Second

// decode reads a server's message to a client, false when it is none or says
// nothing of use. Whether it answers something the client asked is not looked at.
func decode(p socket.Packet, mac spec.MAC) (a answer, ok bool) {
	m, err := dhcpv4.FromBytes(p.Payload)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootReply || len(m.ClientHWAddr) != len(mac) || spec.MAC(m.ClientHWAddr) != mac {
		return a, false
	}
	overload(m, p.Payload)
	a.xid = binary.BigEndian.Uint32(m.TransactionID[:])
	a.server, _ = addrOf(m.ServerIdentifier())
	switch m.MessageType() {
	case dhcpv4.MessageTypeOffer:
		a.kind = offer
	case dhcpv4.MessageTypeAck:
		a.kind = ack
	case dhcpv4.MessageTypeNak:
		a.kind, a.message = nak, printable(m.Message())
		return a, a.server.IsValid()
	}
	if a.kind == 0 || !a.server.IsValid() || !a.times(m) {
		return a, false
	}
	a.lease = Lease{MAC: mac, Server: a.server, ServerMAC: p.MAC, Domain: printable(m.DomainName())}
	return a, a.addresses(m)
}

// overload reads the options that a server put where the file and its name would be
// (RFC 2132 section 9.3, RFC 3396 section 5).
func overload(m *dhcpv4.DHCPv4, payload []byte) {
	use := m.Options.Get(dhcpv4.OptionOptionOverload)
	if len(use) != 1 {
		return
	}
	if use[0]&1 != 0 {
		m.Options.FromBytes(payload[108:236])
	}
	if use[0]&2 != 0 {
		m.Options.FromBytes(payload[44:108])
	}
}

// times reads how long the lease is. T1 and T2 are a half and seven eighths of it
// unless the server says otherwise, and makes sense (section 4.4.5).
func (a *answer) times(m *dhcpv4.DHCPv4) bool {
	a.life = m.IPAddressLeaseTime(0)
	if a.life <= 0 {
		return false
	}
	a.renew, a.rebind = m.IPAddressRenewalTime(a.life/2), m.IPAddressRebindingTime(a.life/8*7)
	if a.renew <= 0 || a.renew >= a.rebind || a.rebind >= a.life {
		a.renew, a.rebind = a.life/2, a.life/8*7
	}
	if a.life == forever {
		a.life, a.renew, a.rebind = 0, 0, 0
	}
	return true
}

// addresses reads where the link is and how it leaves. A client that knows
// classless routes must not look at the router beside them (RFC 3442).
func (a *answer) addresses(m *dhcpv4.DHCPv4) bool {
	own, ok := addrOf(m.YourIPAddr)
	bits, canonical := maskOf(m.SubnetMask(), own)
	if !ok || !usable(own) || !canonical {
		return false
	}
	a.lease.Address = netip.PrefixFrom(own, bits)
	for _, ip := range m.DNS() {
		if s, ok := addrOf(ip); ok {
			a.lease.DNS = append(a.lease.DNS, s)
		}
	}
	if mtu := m.Options.Get(dhcpv4.OptionInterfaceMTU); len(mtu) == 2 {
		a.lease.MTU = int(binary.BigEndian.Uint16(mtu))
	}
	routes := m.ClasslessStaticRoute()
	for _, r := range routes {
		a.route(r)
	}
	if router := m.Router(); len(routes) == 0 && len(router) > 0 {
		a.gateway(router[0])
	}
	return true
}

func (a *answer) gateway(ip net.IP) {
	if g, ok := addrOf(ip); ok && usable(g) && g != a.lease.Address.Addr() {
		a.lease.Gateway = g
	}
}

// route takes a classless route; the default route is the gateway.
func (a *answer) route(r *dhcpv4.Route) {
	bits, size := r.Dest.Mask.Size()
	if size == 32 && bits == 0 {
		a.gateway(r.Router)
		return
	}
	to, ok := addrOf(r.Dest.IP)
	if !ok || size != 32 {
		return
	}
	via, _ := addrOf(r.Router)
	a.lease.Routes = append(a.lease.Routes, plan.AcquiredRoute{To: netip.PrefixFrom(to, bits).Masked(), Via: via})
}

// addrOf reads an address; 0.0.0.0 is none.
func addrOf(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip.To4())
	if !ok || a.IsUnspecified() {
		return netip.Addr{}, false
	}
	return a, true
}

// maskOf is the length of a mask. A server that sends none means the class of the
// address.
func maskOf(mask net.IPMask, a netip.Addr) (bits int, canonical bool) {
	if mask == nil && a.Is4() {
		mask = net.IP(a.AsSlice()).DefaultMask()
	}
	bits, size := mask.Size()
	return bits, size == 32 && bits > 0
}

// printable keeps what a server writes from doing anything to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
