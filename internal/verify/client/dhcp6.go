package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"time"

	"kvmnet/internal/testhost"
)

// DHCPv6 as far as a SOLICIT needs it (RFC 8415).
const (
	serverPort6, clientPort6 = 547, 546

	kindSolicit, kindAdvertise = 1, 2

	optClientID = 1
	optServerID = 2
	optIANA     = 3
	optAddress  = 5
	optElapsed  = 8
)

// allServers is where clients send to: All_DHCP_Relay_Agents_and_Servers.
var allServers = netip.MustParseAddr("ff02::1:2")

// Advertise is what a DHCPv6 server says to a newcomer.
type Advertise struct {
	Addr   netip.Addr // that is offered; zero: none
	Server bool       // the server says who it is
	From   netip.Addr
	Fault  string // of the packet's checksum; "" = none
}

// Solicit asks for an address by DHCPv6 and does not take it: without rapid
// commit. A nil answer is silence.
func (c *Client) Solicit(ctx context.Context, wait time.Duration) (*Advertise, error) {
	var xid [3]byte
	rand.Read(xid[:])
	p := testhost.Packet{Proto: testhost.UDP, Src: c.linkLocal(), Dst: allServers,
		SrcPort: clientPort6, DstPort: serverPort6, Payload: c.solicit(xid)}
	f, heard, err := c.ask(ctx, p, wait, func(f frame) bool { return c.isAdvertise(f.Packet, xid) })
	if err != nil || !heard {
		return nil, err
	}
	return readAdvertise(f), nil
}

// duid identifies the client by its Ethernet address (DUID-LL, RFC 8415 section
// 11.4).
func (c *Client) duid() []byte { return append([]byte{0, 3, 0, 1}, c.mac[:]...) }

func (c *Client) solicit(xid [3]byte) []byte {
	b := []byte{kindSolicit, xid[0], xid[1], xid[2]}
	b = appendOption6(b, optClientID, c.duid())
	b = appendOption6(b, optElapsed, []byte{0, 0})
	return appendOption6(b, optIANA, append(append([]byte(nil), c.mac[2:]...), make([]byte, 8)...)) // IAID, T1 and T2
}

func appendOption6(b []byte, code uint16, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

func (c *Client) isAdvertise(p testhost.Packet, xid [3]byte) bool {
	b := p.Payload
	return p.Proto == testhost.UDP && p.DstPort == clientPort6 && p.EtherType == testhost.EtherIPv6 && len(b) >= 4 &&
		b[0] == kindAdvertise && bytes.Equal(b[1:4], xid[:]) && bytes.Equal(option6(b[4:], optClientID), c.duid())
}

func readAdvertise(f frame) *Advertise {
	b := f.Payload[4:]
	a := &Advertise{Server: len(option6(b, optServerID)) > 0, From: f.Src, Fault: f.fault}
	if ia := option6(b, optIANA); len(ia) > 12 {
		if inner := option6(ia[12:], optAddress); len(inner) >= 16 {
			a.Addr = netip.AddrFrom16([16]byte(inner[:16]))
		}
	}
	return a
}

// option6 finds an option in a list of options; nil when it is not there.
func option6(b []byte, code uint16) []byte {
	for len(b) >= 4 {
		size := int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+size {
			return nil
		}
		if binary.BigEndian.Uint16(b) == code {
			return b[4 : 4+size]
		}
		b = b[4+size:]
	}
	return nil
}

// Wrong tells what is wrong with an offer in one of the subnets that have these
// gateway addresses; "" is nothing.
func (a *Advertise) Wrong(gateways ...netip.Prefix) string {
	switch {
	case a.Fault != "":
		return a.Fault
	case !a.Server:
		return "without a server identifier"
	case !a.From.IsLinkLocalUnicast():
		return "sent from " + a.From.String()
	case !a.Addr.IsValid():
		return "no address"
	}
	for _, g := range gateways {
		if g.Contains(a.Addr) {
			return misplaced(a.Addr, g)
		}
	}
	return "not an address of the network"
}
