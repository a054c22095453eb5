package dhcpclient

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// request is a message to a server before it is written down.
type request struct {
	kind   dhcpv4.MessageType
	xid    uint32
	secs   time.Duration // since the exchange began
	own    netip.Addr    // the client's address, when it has one
	wish   netip.Addr    // the address it asks for (option 50)
	server netip.Addr    // whom it means (option 54)
	to     netip.Addr    // the server by itself; zero = everybody
	toMAC  spec.MAC
}

// asked are the options that a client wants, routes before routers (RFC 3442).
var asked = dhcpv4.OptParameterRequestList(dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, dhcpv4.OptionRouter,
	dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU,
	dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue)

// most is the largest message we take, headers included.
const most = 1500

const (
	serverPort = 67
	clientPort = 68
)

// packet writes a request down. The client id is the MAC, so that the same link
// is the same client whoever asks for it.
func (r request) packet(mac spec.MAC, host string) socket.Packet {
	m := &dhcpv4.DHCPv4{OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: mac[:], NumSeconds: uint16(min(r.secs/time.Second, 0xffff)),
		ClientIPAddr: ipOf(r.own), YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero, Options: dhcpv4.Options{}}
	binary.BigEndian.PutUint32(m.TransactionID[:], r.xid)
	m.UpdateOption(dhcpv4.OptMessageType(r.kind))
	m.UpdateOption(dhcpv4.OptClientIdentifier(append([]byte{1}, mac[:]...)))
	if r.wish.IsValid() {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(ipOf(r.wish)))
	}
	if r.server.IsValid() {
		m.UpdateOption(dhcpv4.OptServerIdentifier(ipOf(r.server)))
	}
	if r.kind == dhcpv4.MessageTypeDiscover || r.kind == dhcpv4.MessageTypeRequest {
		m.UpdateOption(asked)
		m.UpdateOption(dhcpv4.OptMaxMessageSize(most))
		if host != "" {
			m.UpdateOption(dhcpv4.OptHostName(host))
		}
	}
	return r.envelope(m.ToBytes())
}

func (r request) envelope(payload []byte) socket.Packet {
	from, to, mac := netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{255, 255, 255, 255}), spec.MAC{255, 255, 255, 255, 255, 255}
	if r.own.IsValid() {
		from = r.own
	}
	if r.to.IsValid() && !r.toMAC.IsZero() {
		to, mac = r.to, r.toMAC
	}
	return socket.Packet{MAC: mac, From: netip.AddrPortFrom(from, clientPort), To: netip.AddrPortFrom(to, serverPort), Payload: payload}
}

func ipOf(a netip.Addr) net.IP {
	if !a.IsValid() {
		return net.IPv4zero
	}
	return a.AsSlice()
}
