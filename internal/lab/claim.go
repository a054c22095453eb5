package lab

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"

	"kvmnet/internal/testhost"
)

// claimed has the second guest of a network say that the gateway's address is its
// own: the first one, who would believe it, must not hear of it.
func (s *sheet) claimed(n *network, f family) {
	villain, victim := n.guests[1], n.guests[0]
	if n.lan() || n.silent() || villain.host == nil || victim.host == nil {
		return
	}
	gateway := n.gateways().addr(f)
	s.add("guest claims the gateway's address", n, f, no, func(ctx context.Context) verdict {
		p, err := claim(villain, gateway)
		for range 3 {
			if err == nil {
				err = villain.host.Spoof(ctx, "eth0", p)
			}
		}
		if err != nil {
			return verdict{outcome: "failed", detail: err.Error()}
		}
		ctx, cancel := context.WithTimeout(ctx, patient)
		defer cancel()
		heard, err := s.d.heard(victim.host).Wait(ctx, func(q testhost.Packet) bool { return q.SrcMAC == p.SrcMAC && claims(q, gateway) })
		if err != nil { // nothing came
			return verdict{outcome: no}
		}
		return verdict{outcome: "heard by " + victim.name, detail: heard.String()}
	})
}

// advertisement is the type of a neighbour advertisement (RFC 4861, section 4.4).
const advertisement = 136

// claim is a gratuitous ARP or an unsolicited neighbour advertisement that overrides
// what others know.
func claim(by *party, a netip.Addr) (testhost.Packet, error) {
	mac, err := by.host.MAC("eth0")
	if err != nil {
		return testhost.Packet{}, fmt.Errorf("claim %s: %w", a, err)
	}
	if a.Is4() {
		return testhost.Packet{Proto: testhost.ARP, Op: 2, SrcMAC: mac, Src: a, Dst: a}, nil
	}
	const override, targetAddress = 0x20, 2
	payload := append([]byte{override, 0, 0, 0}, a.AsSlice()...)
	payload = append(append(payload, targetAddress, 1), mac[:]...)
	return testhost.Packet{Proto: testhost.ICMP, Type: advertisement, TTL: 255, SrcMAC: mac,
		Src: by.addr.addr(v6), Dst: netip.IPv6LinkLocalAllNodes(), Payload: payload}, nil
}

// claims reports whether a packet says that its sender has an address.
func claims(p testhost.Packet, a netip.Addr) bool {
	if a.Is4() {
		return p.Proto == testhost.ARP && p.Src == a
	}
	return p.Proto == testhost.ICMP && p.Type == advertisement && len(p.Payload) >= 20 && bytes.Equal(p.Payload[4:20], a.AsSlice())
}
