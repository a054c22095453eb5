package socket

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Packet is one UDP datagram or ICMPv6 message on a bridge, received or to be
// sent. Of ICMPv6 the ports are 0.
type Packet struct {
	MAC      spec.MAC       // the other side's Ethernet address: source when received, destination when sent
	From, To netip.AddrPort // IP source and destination
	HopLimit uint8          // received only; what is sent has 64, ICMPv6 255
	Payload  []byte         // UDP payload, or the whole ICMPv6 message; of a received packet valid until its handler returns
}
