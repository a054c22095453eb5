package dhcp6

import (
	"crypto/sha256"
	"encoding/binary"

	"kvmnet/internal/lease"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// hardwareEthernet is the hardware type of Ethernet (RFC 826).
const hardwareEthernet = 1

// identify fills in who the client is, from the packet that brought the request.
func (r *request) identify(p socket.Packet, l *link) {
	to := p.To.Addr()
	r.unicast = len(r.relays) == 0 && to.IsValid() && !to.IsMulticast()
	r.trusted = len(r.relays) > 0 && l.trusts(p.From.Addr())
	r.mac = r.client(p.MAC)
}

// locate fills in where the client is. It reports false when the sender says to be
// someone behind another port, which only a trusted relay agent may do: with a
// forged relay message a guest could release or take over its neighbour's lease.
func (r *request) locate(p socket.Packet, portOf func(spec.MAC) string) bool {
	if r.trusted {
		r.port = lease.RelayPort + p.From.Addr().WithZone("").String()
		return true
	}
	if r.port = portOf(p.MAC); r.mac == p.MAC {
		return true
	}
	other := portOf(r.mac)
	return other == "" || other == r.port
}

// client finds the Ethernet address of the client: the frame's; of a relayed
// message what the relay agent nearest to the client tells, then what the DUID or
// the link-local address was made of. Where nothing tells, one made of the DUID
// keeps clients apart.
func (r *request) client(frame spec.MAC) spec.MAC {
	if len(r.relays) == 0 {
		return frame
	}
	nearest := r.relays[len(r.relays)-1]
	for _, mac := range []spec.MAC{nearest.mac, duidMAC(r.duid), eui64(nearest.peer.As16())} {
		if !mac.IsZero() {
			return mac
		}
	}
	sum := sha256.Sum256([]byte(r.duid))
	return spec.MAC{0x02, sum[0], sum[1], sum[2], sum[3], sum[4]} // locally administered
}

// ethernet reads a hardware type and an Ethernet address; anything else is zero.
func ethernet(b []byte) spec.MAC {
	if len(b) != 8 || binary.BigEndian.Uint16(b) != hardwareEthernet || spec.MAC(b[2:]).IsMulticast() {
		return spec.MAC{}
	}
	return spec.MAC(b[2:])
}

// duidMAC reads the address out of a DUID-LLT or DUID-LL (RFC 8415 section 11).
func duidMAC(duid string) spec.MAC {
	switch b := []byte(duid); {
	case len(b) == 14 && binary.BigEndian.Uint16(b) == 1:
		return ethernet(append(b[2:4:4], b[8:]...))
	case len(b) == 10 && binary.BigEndian.Uint16(b) == 3:
		return ethernet(b[2:])
	}
	return spec.MAC{}
}

// eui64 reads the Ethernet address out of an interface identifier (RFC 4291
// appendix A); zero when it was not made of one.
func eui64(a [16]byte) spec.MAC {
	if a[11] != 0xff || a[12] != 0xfe {
		return spec.MAC{}
	}
	return spec.MAC{a[8] ^ 2, a[9], a[10], a[13], a[14], a[15]}
}

// holder is the client of one identity association, as the book knows it.
func (r *request) holder(a ia) lease.Client {
	return lease.Client{V6: true, MAC: r.mac, IAID: a.id, ClientID: r.duid, Port: r.port, Hostname: r.name}
}
