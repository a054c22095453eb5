package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"kvmnet/internal/testhost"
)

// DHCPv4 as far as a DISCOVER needs it (RFC 2131, RFC 2132).
const (
	serverPort4, clientPort4 = 67, 68

	headerSize4 = 240 // with the magic cookie

	optMask       = 1
	optMessage    = 53
	optServer     = 54
	optParameters = 55
	optEnd        = 255

	kindDiscover, kindOffer = 1, 2
)

var cookie = []byte{99, 130, 83, 99}

// Offer is what a server says to a newcomer.
type Offer struct {
	Addr   netip.Addr // that is offered
	Server netip.Addr // option 54
	Fault  string     // of the packet's checksums; "" = none
}

// Discover asks for an address by DHCPv4 and does not take it. A nil offer is
// silence.
func (c *Client) Discover(ctx context.Context, wait time.Duration) (*Offer, error) {
	var xid [4]byte
	rand.Read(xid[:])
	p := testhost.Packet{Proto: testhost.UDP, Src: netip.IPv4Unspecified(), Dst: netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		SrcPort: clientPort4, DstPort: serverPort4, Payload: c.discover(xid)}
	f, heard, err := c.ask(ctx, p, wait, func(f frame) bool { return isOffer(f.Packet, xid) })
	if err != nil || !heard {
		return nil, err
	}
	return readOffer(f), nil
}

func (c *Client) discover(xid [4]byte) []byte {
	b := make([]byte, headerSize4)
	b[0], b[1], b[2] = 1, 1, 6 // a request, of an Ethernet client
	copy(b[4:], xid[:])
	copy(b[28:], c.mac[:])
	copy(b[headerSize4-4:], cookie)
	b = append(b, optMessage, 1, kindDiscover, optParameters, 2, optMask, optServer, optEnd)
	return append(b, make([]byte, 300-len(b))...) // RFC 1542, section 2.1: old relays drop less
}

func isOffer(p testhost.Packet, xid [4]byte) bool {
	b := p.Payload
	return p.Proto == testhost.UDP && p.SrcPort == serverPort4 && p.DstPort == clientPort4 && len(b) >= headerSize4 &&
		b[0] == 2 && bytes.Equal(b[4:8], xid[:]) && bytes.Equal(b[headerSize4-4:headerSize4], cookie) &&
		bytes.Equal(option4(b, optMessage), []byte{kindOffer})
}

func readOffer(f frame) *Offer {
	server, _ := netip.AddrFromSlice(option4(f.Payload, optServer))
	return &Offer{Addr: netip.AddrFrom4([4]byte(f.Payload[16:20])), Server: server, Fault: f.fault}
}

// option4 finds an option of a message; nil when it has none.
func option4(b []byte, code byte) []byte {
	for b = b[headerSize4:]; len(b) > 0 && b[0] != optEnd; {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return nil
		}
		if b[0] == code {
			return b[2 : 2+int(b[1])]
		}
		b = b[2+int(b[1]):]
	}
	return nil
}

// Wrong tells what is wrong with an offer in one of the subnets that have these
// gateway addresses; "" is nothing.
func (o *Offer) Wrong(gateways ...netip.Prefix) string {
	if o.Fault != "" {
		return o.Fault
	}
	for _, g := range gateways {
		if o.Server == g.Addr() {
			return misplaced(o.Addr, g)
		}
	}
	return fmt.Sprintf("offered by %s, not by the gateway", o.Server)
}

// misplaced tells why a guest cannot have an address in a subnet.
func misplaced(a netip.Addr, gateway netip.Prefix) string {
	switch {
	case a == gateway.Addr():
		return "the gateway's own address"
	case !gateway.Contains(a):
		return "not an address of " + gateway.Masked().String()
	}
	return ""
}
