package proof

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// TestBridgeGetsAnotherMACWithoutLoss changes the MAC of a network's bridge again and
// again. One guest learns the new one from announcements, another is told the first one
// by hand and goes on sending there. Ports that forward go on when STP is switched.
func TestBridgeGetsAnotherMACWithoutLoss(t *testing.T) {
	t.Parallel()
	text := func(n int) string {
		return fmt.Sprintf(`
networks:
  lab: {mode: nat, bridge: {name: lab0, mac: "52:54:00:aa:bb:%02x", stp: %t}, subnets: [{address: 10.9.0.1/24}]}
`, n, n%2 == 0)
	}
	w := newWorld(t, text(1))
	learns, told := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1"), w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	nstest.Run(t, told.NS(), "ip", "neigh", "replace", "10.9.0.1", "lladdr", "52:54:00:aa:bb:01", "nud", "permanent", "dev", "eth0")
	var streams []*testhost.TCPStream
	var pings []*testhost.PingStream
	for _, g := range []*testhost.Host{learns, told} {
		s, err := g.TCPStream(t.Context(), netip.AddrPortFrom(nstest.Internet4, testhost.EchoPort))
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, s)
		for _, a := range []netip.Addr{nstest.Internet4, addr("10.9.0.1")} {
			p, err := g.PingStream(t.Context(), a, time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			pings = append(pings, p)
		}
	}
	const times = 20
	for n := 2; n < 2+times; n++ {
		w.put(text(n))
	}
	for _, p := range pings {
		if r := p.Stop(); r.Lost > 0 || r.Sent < 10*times {
			t.Errorf("pings: %+v", r)
		}
	}
	for _, s := range streams {
		if r := s.Stop(); r.Broken != "" || r.LongestStall > silence {
			t.Errorf("a connection: %+v", r)
		}
	}
	w.put(text(1))
	ask(t, everyProto(told, nstest.Internet4.String(), nstest.Machine4.String()))
	ask(t, everyProto(learns, nstest.Internet4.String(), nstest.Machine4.String()))
}
