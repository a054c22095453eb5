package testhost

import "encoding/binary"

// Ethernet types of VLAN tags (IEEE 802.1Q): a guest's own, and the one that a
// provider puts around others.
const (
	EtherVLAN = 0x8100
	EtherQinQ = 0x88a8
)

// Tag is a VLAN tag. Number 0 carries a priority only.
type Tag struct {
	EtherType uint16 // 0 = EtherVLAN
	Number    uint16 // 0–4095
	Priority  uint8  // 0–7
}

// Extension headers of IPv6 (RFC 8200, section 4), by the number that announces them.
const (
	HopByHop    = 0
	Routing     = 43
	Destination = 60

	fragmentHeader = 44
)

// Extension is an extension header of IPv6. Its length and the number of what follows
// are filled in.
type Extension struct {
	Proto uint8
	Body  []byte // behind the first two bytes; zeros, which are padding, fill it up
}

// tagged puts the VLAN tags of a packet, the outermost first, before its Ethernet type.
func (p Packet) tagged(frame []byte) []byte {
	if len(p.Tags) == 0 {
		return frame
	}
	out := append([]byte{}, frame[:12]...)
	for _, t := range p.Tags {
		if t.EtherType == 0 {
			t.EtherType = EtherVLAN
		}
		out = binary.BigEndian.AppendUint16(out, t.EtherType)
		out = binary.BigEndian.AppendUint16(out, uint16(t.Priority)<<13|t.Number)
	}
	return append(out, frame[12:]...)
}

// options are those of the IPv4 header, which ends on a word of four bytes; zeros are
// the end of the list (RFC 791, section 3.1).
func (p Packet) options() []byte {
	return append(append([]byte{}, p.Options...), make([]byte, -len(p.Options)&3)...)
}

// extended puts the extension headers of a packet before its transport header, and
// returns the number of the first.
func (p Packet) extended(proto uint8, payload []byte) (uint8, []byte) {
	for i := len(p.Extensions) - 1; i >= 0; i-- {
		e := p.Extensions[i]
		length := (2 + len(e.Body) + 7) / 8
		header := append([]byte{proto, byte(length - 1)}, e.Body...)
		header = append(header, make([]byte, 8*length-len(header))...)
		proto, payload = e.Proto, append(header, payload...)
	}
	return proto, payload
}
