package proof

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

const patience, silence = time.Minute, 2 * time.Second

// stall is longer than all traffic of a busy machine rests now and then.
const stall = 15 * time.Second

// goesOn waits until a connection has carried more than before, which one that was cut
// never does, and ends it.
func goesOn(t *testing.T, s *testhost.TCPStream) testhost.TCPReport {
	t.Helper()
	before := s.Report().Bytes
	nstest.Eventually(t, stall, func() error {
		if r := s.Report(); r.Broken == "" && r.Bytes <= before {
			return fmt.Errorf("the connection carries no more: %+v", r)
		}
		return nil
	})
	return s.Stop()
}

func addrPort(a string, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr(a), port) }

// besieged is twoRouters with a cap on the connections of the red network.
const besieged = `
bridges:
  br0: {ports: [eth1]}
networks:
  red: {mode: isolated}
  green: {mode: isolated}
  blue: {mode: isolated}
routers:
  r1:
    connections: 200
    uplink: {bridge: br0, address: 192.0.2.11/24, gateway: 192.0.2.1}
    interfaces:
      - {network: red, address: 10.9.0.1/24, egress: masquerade}
      - {network: green, address: 10.10.0.1/24, egress: none}
  r2:
    uplink: {bridge: br0, address: 192.0.2.12/24, gateway: 192.0.2.1}
    interfaces:
      - {network: blue, address: 10.9.0.1/24, egress: masquerade}
`

// TestAttacksAreRefusedAndCounted lets guests and neighbours try what they must not
// be able to.
func TestAttacksAreRefusedAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, besieged)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	green := w.guest("green-guest", "green", "10.10.0.5/24", "10.10.0.1")
	blue := w.guest("blue-guest", "blue", "10.9.0.6/24", "10.9.0.1")
	greenHears, blueHears := nstest.Serve(t, green, 4000), nstest.Serve(t, blue, 4000)
	t.Run("a false source", func(t *testing.T) {
		before := w.counter("r1", "spoofed")
		for i := range 5 {
			p := testhost.Packet{Proto: testhost.UDP, Src: addr("10.10.0.99"), Dst: nstest.Outside4, SrcPort: uint16(6000 + i), DstPort: testhost.EchoPort}
			if err := red.Spoof(t.Context(), "eth0", p); err != nil {
				t.Fatal(err)
			}
		}
		w.counts(t, "r1", "spoofed", before+5)
		for _, p := range w.OutsideEcho.Packets() {
			if p.Src == addr("10.10.0.99") || p.SrcPort >= 6000 && p.SrcPort < 6005 && p.Src == addr("192.0.2.11") {
				t.Errorf("the outside got %s", p)
			}
		}
	})
	t.Run("the inside of the other router", func(t *testing.T) {
		before := w.counter("r2", "inbound")
		r := red.Probe(t.Context(), testhost.Probe{Proto: testhost.UDP, To: addr("192.0.2.12"), Port: 4000, Timeout: 500 * time.Millisecond})
		if r.OK {
			t.Errorf("the other router answers: %s", r)
		}
		// Through the other router to the network behind it, as a neighbour of the LAN.
		if err := w.Neighbour.AddRoute(netip.MustParsePrefix("10.9.0.6/32"), addr("192.0.2.12")); err != nil {
			t.Fatal(err)
		}
		ask(t, everyProto(w.Neighbour, "10.9.0.6", "no"))
		if w.counter("r2", "inbound") <= before {
			t.Error("what the neighbour tried is not counted")
		}
	})
	t.Run("a router's outside address as next hop", func(t *testing.T) {
		before := w.counter("r1", "isolated")
		held := w.counter("r1", "held")
		for _, to := range []string{"10.10.0.5/32", "203.0.113.7/32"} {
			if err := w.Neighbour.AddRoute(netip.MustParsePrefix(to), addr("192.0.2.11")); err != nil {
				t.Fatal(err)
			}
		}
		ask(t, append(everyProto(w.Neighbour, "10.10.0.5", "no"), everyProto(w.Neighbour, "203.0.113.7", "no")...))
		if w.counter("r1", "isolated") <= before || w.counter("r1", "held") <= held {
			t.Error("not counted")
		}
	})
	t.Run("a flood of connections", func(t *testing.T) {
		before := w.counter("r1", "capped")
		var work sync.WaitGroup // who closes a packet socket waits for the kernel; together they wait once
		for i := range 400 {
			work.Go(func() {
				p := testhost.Packet{Proto: testhost.UDP, Src: addr("10.9.0.5"), Dst: nstest.Outside4, SrcPort: uint16(20000 + i), DstPort: 9}
				if err := red.Spoof(t.Context(), "eth0", p); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		nstest.Eventually(t, patience, func() error {
			if n := w.counter("r1", "capped") - before; n < 150 {
				return fmt.Errorf("%d connections were refused", n)
			}
			return nil
		})
		ask(t, []question{{blue, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}, "192.0.2.12"}})
	})
	for _, hears := range []*testhost.Echo{greenHears, blueHears} {
		for _, p := range hears.Packets() {
			if p.Src == nstest.Neighbour4 || p.Src == addr("192.0.2.11") {
				t.Errorf("a guest got %s", p)
			}
		}
	}
}

// counts waits until a counter of a router has come to a number.
func (w *world) counts(t *testing.T, router, name string, want int) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		if n := w.counter(router, name); n < want {
			return fmt.Errorf("%s of %s is %d, want %d", name, router, n, want)
		}
		return nil
	})
}

// TestGuestsDoNotSpeakForTheGateway lets a guest claim the gateway's address.
func TestGuestsDoNotSpeakForTheGateway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
networks:
  red: {mode: isolated}
bridges:
  br0: {ports: [eth1]}
routers:
  r1:
    uplink: {bridge: br0, address: [192.0.2.11/24, "2001:db8:2::11/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - {network: red, address: [10.9.0.1/24, "fd00:9::1/64"], egress: masquerade}
`)
	victim := w.guest("victim", "red", "10.9.0.5/24", "10.9.0.1", "fd00:9::5/64", "fd00:9::1")
	liar := w.guest("liar", "red", "10.9.0.6/24", "10.9.0.1", "fd00:9::6/64", "fd00:9::1")
	w.Settled() // the rows of both ports
	ask(t, append(everyProto(victim, "192.0.2.1", "192.0.2.11"), everyProto(victim, "2001:db8:2::1", "2001:db8:2::11")...))
	mac, err := liar.MAC("eth0")
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range claims(mac, addr("10.9.0.1"), addr("fd00:9::1")) {
		if err := liar.SendFrame(t.Context(), "eth0", frame); err != nil {
			t.Fatal(err)
		}
	}
	w.counts(t, "", "claimed", 3)
	neighbours := nstest.Run(t, victim.NS(), "ip", "neigh")
	for line := range lines(neighbours) {
		if contains(line, "10.9.0.1 ", "fd00:9::1 ") && contains(line, mac.String()) {
			t.Errorf("the victim believes the liar: %s", line)
		}
	}
	ask(t, append(everyProto(victim, "192.0.2.1", "192.0.2.11"), everyProto(victim, "2001:db8:2::1", "2001:db8:2::11")...))
}
