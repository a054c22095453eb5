package radv

import (
	"net/netip"

	"kvmnet/internal/socket"
)

// ICMPv6 and Neighbor Discovery numbers (RFC 4861 sections 4.1 and 4.6).
const (
	typeSolicitation = 133
	optionSource     = 1
	headerSize       = 8 // of a solicitation, and the unit of option lengths
)

// valid reports whether the packet is a solicitation that RFC 4861 section 6.1.1
// lets a router answer. Hop limit and checksum were checked where it was read.
// Options are only walked, not decoded: unknown and odd ones must not hurt.
func valid(p socket.Packet) bool {
	m, from := p.Payload, p.From.Addr()
	if len(m) < headerSize || m[0] != typeSolicitation || m[1] != 0 {
		return false
	}
	if !from.Is6() || from.Is4In6() || from.IsMulticast() || from.IsLoopback() {
		return false
	}
	hasSource, sound := options(m[headerSize:])
	return sound && !(hasSource && from.WithZone("") == netip.IPv6Unspecified())
}

// options walks the options: whether there is a source link-layer address, and
// whether all have a length and end within the message.
func options(b []byte) (hasSource, sound bool) {
	for len(b) > 0 {
		if len(b) < 2 || b[1] == 0 || int(b[1])*headerSize > len(b) {
			return false, false
		}
		hasSource = hasSource || b[0] == optionSource
		b = b[int(b[1])*headerSize:]
	}
	return hasSource, true
}
