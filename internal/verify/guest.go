package verify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// guest is a test host on a network's bridge. What it hears goes to the ledger;
// its own capture keeps ARP and neighbour discovery only.
type guest struct {
	host  *testhost.Host
	mac   spec.MAC
	heard *testhost.Capture
	sender
}

// nic is the name of a guest's only interface.
const nic = "eth0"

// plugIn makes a guest. Its end outside is called kvt and a random number, so
// that two runs at the same time do not collide. An MTU of its own would lower
// that of a bridge without a fixed one, and a low MAC outside would become that
// of a bridge without a fixed one: hence the bridge's MTU, and fe in front, as
// libvirt gives its taps.
func plugIn(ctx context.Context, name string, ns *netns.NS, bridge string, mtu int, l *ledger) (*guest, error) {
	var seed [9]byte
	rand.Read(seed[:])
	h, err := testhost.New(name)
	if err != nil {
		return nil, err
	}
	g := &guest{host: h, mac: spec.MAC{0x52, 0x54, 0, seed[0], seed[1], seed[2]}}
	err = h.Plug(testhost.Plug{
		Inside: nic, MAC: g.mac, MTU: mtu,
		Outside: ns, OutsideName: "kvt" + hex.EncodeToString(seed[3:]), OutsideMAC: spec.MAC{0xfe, 0x54, 0, seed[0], seed[1], seed[2]}, Bridge: bridge,
	})
	if err == nil { // it has its addresses, and learns no others from the router
		err = h.Sysctl("net/ipv6/conf/"+nic+"/accept_ra", "0")
	}
	if errors.Is(err, os.ErrNotExist) { // no IPv6
		err = nil
	}
	if err == nil {
		g.heard, err = h.Capture(ctx, nic, func(p testhost.Packet) bool {
			if p.Outgoing {
				return false
			}
			l.note(g, p)
			return p.Proto == testhost.ARP || isAdvertisement(p)
		})
	}
	if err == nil {
		g.sender, err = openSender(h.NS())
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return g, nil
}

// Close takes the guest away.
func (g *guest) Close() error { return errors.Join(g.sender.Close(), g.host.Close()) }

// isAdvertisement reports a neighbour advertisement (RFC 4861, section 4.4).
func isAdvertisement(p testhost.Packet) bool {
	return p.Proto == testhost.ICMP && p.EtherType == testhost.EtherIPv6 && p.Type == 136 && len(p.Payload) >= 20
}

// meets waits until a frame of this guest reaches another one, because a bridge
// with a spanning tree lets new ports wait. False means that it never did.
func (g *guest) meets(ctx context.Context, other *guest, patience time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	met := make(chan struct{})
	go func() {
		defer close(met)
		other.heard.Wait(ctx, func(p testhost.Packet) bool { return p.SrcMAC == g.mac && p.Proto == testhost.ARP })
	}()
	// An ARP request for nobody by nobody, which nobody answers or learns from.
	hello := testhost.Packet{Proto: testhost.ARP, Op: 1, SrcMAC: g.mac, DstMAC: other.mac, Src: netip.IPv4Unspecified(), Dst: netip.IPv4Unspecified()}
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		g.send(hello)
		select {
		case <-met:
			return ctx.Err() == nil
		case <-time.After(pause):
		}
	}
}

// whoHas asks for addresses as a host does before it takes one (RFC 5227,
// section 2.1.1; RFC 4862, section 5.4) and returns who answered within the
// time.
func (g *guest) whoHas(ctx context.Context, addrs []netip.Addr, patience time.Duration) (map[netip.Addr]spec.MAC, error) {
	const attempts = 2
	var found map[netip.Addr]spec.MAC
	for range attempts {
		for _, a := range addrs {
			if err := g.send(question(g.mac, a)); err != nil {
				return nil, err
			}
		}
		next := time.After(patience / attempts)
		for end := false; !end; {
			if found = answers(g.heard.Packets(), addrs); len(found) == len(addrs) {
				return found, nil
			}
			select {
			case <-next:
				end = true
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return answers(g.heard.Packets(), addrs), nil
}

// question is an ARP probe, or a neighbour solicitation without a source, which
// nobody's neighbour table learns from.
func question(mac spec.MAC, a netip.Addr) testhost.Packet {
	if a.Is4() {
		return testhost.Packet{
			Proto: testhost.ARP, Op: 1, SrcMAC: mac, DstMAC: spec.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			Src: netip.IPv4Unspecified(), Dst: a,
		}
	}
	b := a.As16()
	group := netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
	return testhost.Packet{
		Proto: testhost.ICMP, Type: 135, TTL: 255, SrcMAC: mac, DstMAC: spec.MAC{0x33, 0x33, 0xff, b[13], b[14], b[15]},
		Src: netip.IPv6Unspecified(), Dst: group, Payload: append(make([]byte, 4), b[:]...),
	}
}

// answers tells which of the addresses somebody answered for.
func answers(heard []testhost.Packet, addrs []netip.Addr) map[netip.Addr]spec.MAC {
	found := map[netip.Addr]spec.MAC{}
	for _, p := range heard {
		owner, mac := p.Src, p.SenderMAC
		switch {
		case isAdvertisement(p):
			owner, mac = netip.AddrFrom16([16]byte(p.Payload[4:20])), p.SrcMAC
		case p.Op != 2:
			continue
		}
		for _, a := range addrs {
			if a == owner {
				found[a] = mac
			}
		}
	}
	return found
}
