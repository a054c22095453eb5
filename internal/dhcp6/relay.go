package dhcp6

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/spec"
)

// mostHops is HOP_COUNT_LIMIT (RFC 8415 section 7.6).
const mostHops = 8

// relay is the envelope that one relay agent put around a message.
type relay struct {
	hops        uint8
	link, peer  netip.Addr
	interfaceID *dhcpv6.OptionGeneric // nil = none
	mac         spec.MAC              // client link-layer address (RFC 6939), zero = not told
}

// peel takes off the envelopes, outermost first, and returns the client's message.
func peel(b []byte) ([]relay, []byte, error) {
	var relays []relay
	for len(b) > 0 && dhcpv6.MessageType(b[0]) == dhcpv6.MessageTypeRelayForward {
		if len(relays) == mostHops {
			return nil, nil, fmt.Errorf("read relayed message: more than %d relay agents", mostHops)
		}
		r, inner, err := open(b)
		if err != nil {
			return nil, nil, err
		}
		relays, b = append(relays, r), inner
	}
	return relays, b, nil
}

// open reads one envelope and returns it with what is inside.
func open(b []byte) (relay, []byte, error) {
	if len(b) < dhcpv6.RelayHeaderSize {
		return relay{}, nil, errors.New("read relayed message: shorter than its header")
	}
	var options dhcpv6.Options
	if err := options.FromBytesWithParser(b[dhcpv6.RelayHeaderSize:], raw); err != nil {
		return relay{}, nil, fmt.Errorf("read options of relay agent: %w", err)
	}
	inner, ok := options.GetOne(dhcpv6.OptionRelayMsg).(*dhcpv6.OptionGeneric)
	if !ok {
		return relay{}, nil, errors.New("read relayed message: nothing is inside")
	}
	r := relay{hops: b[1], link: netip.AddrFrom16([16]byte(b[2:18])), peer: netip.AddrFrom16([16]byte(b[18:34]))}
	r.interfaceID, _ = options.GetOne(dhcpv6.OptionInterfaceID).(*dhcpv6.OptionGeneric)
	if o, ok := options.GetOne(dhcpv6.OptionClientLinkLayerAddr).(*dhcpv6.OptionGeneric); ok {
		r.mac = ethernet(o.OptionData)
	}
	return r, inner.OptionData, nil
}

func raw(code dhcpv6.OptionCode, data []byte) (dhcpv6.Option, error) {
	o := &dhcpv6.OptionGeneric{OptionCode: code}
	return o, o.FromBytes(data)
}

// wrap puts an answer into the envelopes that its request came in (RFC 8415
// section 19.3): the same hop counts, addresses and interface ids.
func wrap(m dhcpv6.DHCPv6, relays []relay) dhcpv6.DHCPv6 {
	for i := len(relays) - 1; i >= 0; i-- {
		r := relays[i]
		envelope := &dhcpv6.RelayMessage{
			MessageType: dhcpv6.MessageTypeRelayReply,
			HopCount:    r.hops,
			LinkAddr:    net.IP(r.link.AsSlice()),
			PeerAddr:    net.IP(r.peer.AsSlice()),
		}
		if r.interfaceID != nil {
			envelope.AddOption(r.interfaceID)
		}
		envelope.AddOption(dhcpv6.OptRelayMessage(m))
		m = envelope
	}
	return m
}

// linkAddress says on which link the client is: what the relay agent nearest to it
// that knows tells (RFC 8415 section 13.1). The zero Addr means the network's own
// link, also behind a lightweight relay (RFC 6221), which tells none.
func linkAddress(relays []relay) netip.Addr {
	for i := len(relays) - 1; i >= 0; i-- {
		if a := relays[i].link; !a.IsUnspecified() && !a.IsLinkLocalUnicast() {
			return a
		}
	}
	return netip.Addr{}
}
