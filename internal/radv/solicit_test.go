package radv

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

var sourceOption = []byte{1, 1, 0x52, 0x54, 0, 9, 9, 9}

func TestSolicitationsOfRFC4861Section611(t *testing.T) {
	t.Parallel()
	none := netip.IPv6Unspecified()
	change := func(p socket.Packet, do func(*socket.Packet)) socket.Packet { do(&p); return p }
	cases := []struct {
		name string
		p    socket.Packet
		want bool
	}{
		{"bare", solicitation(guest), true},
		{"with source link-layer address", solicitation(guest, sourceOption...), true},
		{"without an address", solicitation(none), true},
		{"without an address, with source link-layer address", solicitation(none, sourceOption...), false},
		{"global source", solicitation(netip.MustParseAddr("fd00:1::5")), true},
		{"multicast source", solicitation(netip.MustParseAddr("ff02::1")), false},
		{"IPv4 source", solicitation(netip.MustParseAddr("192.0.2.1")), false},
		{"shorter than 8 bytes", change(solicitation(guest), func(p *socket.Packet) { p.Payload = p.Payload[:7] }), false},
		{"empty", change(solicitation(guest), func(p *socket.Packet) { p.Payload = nil }), false},
		{"another type", change(solicitation(guest), func(p *socket.Packet) { p.Payload[0] = 134 }), false},
		{"another code", change(solicitation(guest), func(p *socket.Packet) { p.Payload[1] = 1 }), false},
		{"option of length 0", solicitation(guest, 1, 0, 0, 0, 0, 0, 0, 0), false},
		{"option that ends behind the message", solicitation(guest, 1, 2, 0, 0, 0, 0, 0, 0), false},
		{"half an option", solicitation(guest, 1), false},
		{"unknown option", solicitation(guest, 14, 1, 1, 2, 3, 4, 5, 6), true},
		{"unknown option, then source link-layer address, no address", solicitation(none, append([]byte{14, 1, 1, 2, 3, 4, 5, 6}, sourceOption...)...), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := valid(c.p); got != c.want {
				t.Errorf("valid: %v, want %v", got, c.want)
			}
		})
	}
}

func TestGuestWithAddressIsAnsweredAtOnceByUnicast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0.9)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Solicit(solicitation(guest, sourceOption...))
		p := w.one(t)
		if p.To.Addr() != guest || p.MAC != guestMAC || p.From.Addr() != linkLocal {
			t.Errorf("answered to %s at %s from %s", p.To, p.MAC, p.From)
		}
		if m := parse(t, p.Payload); m.RouterLifetime == 0 {
			t.Errorf("answered %+v", m)
		}
	})
}

func TestGuestWithoutAddressIsAnsweredByMulticastAfterADelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0.5)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		time.Sleep(10 * time.Second)
		began := time.Now()
		s.Solicit(solicitation(netip.IPv6Unspecified()))
		time.Sleep(time.Second)
		synctest.Wait()
		p := w.one(t)
		if d := p.at.Sub(began); d != 250*time.Millisecond || p.To.Addr() != allNodes {
			t.Errorf("answered to %s after %s", p.To, d)
		}
	})
}

func TestMulticastAnswersAreThreeSecondsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0.5)
		s.Set(sample(), bridge, linkLocal)
		for range 600 {
			s.Solicit(solicitation(netip.IPv6Unspecified()))
			time.Sleep(50 * time.Millisecond)
		}
		all := w.take()
		for i := 1; i < len(all); i++ {
			if d := all[i].at.Sub(all[i-1].at); d < minDelay {
				t.Errorf("two multicasts are %s apart", d)
			}
		}
		if len(all) < 9 {
			t.Errorf("%d multicasts in 30 s of asking", len(all))
		}
	})
}

func TestOneGuestCannotMakeUsFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		for range 10000 {
			s.Solicit(solicitation(guest))
		}
		if n := len(w.take()) - 1; n != perSource {
			t.Errorf("%d unicast answers at once, want %d", n, perSource)
		}
		time.Sleep(minDelay)
		synctest.Wait()
		if p := w.one(t); p.To.Addr() != allNodes {
			t.Errorf("the rest is answered to %s, want all nodes", p.To)
		}
		time.Sleep(window)
		s.Solicit(solicitation(guest))
		w.one(t)
	})
}

func TestManyForgedGuestsCannotMakeUsFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		for i := range 10000 {
			p := solicitation(guest)
			p.MAC = spec.MAC{0x52, 0x54, 0, 0, byte(i >> 8), byte(i)}
			s.Solicit(p)
		}
		if n := len(w.take()) - 1; n != perNetwork {
			t.Errorf("%d unicast answers at once, want %d", n, perNetwork)
		}
		if c := s.Counters(); c.Limited != 10000-perNetwork || c.Unicast != perNetwork {
			t.Errorf("counted %+v", c)
		}
		if len(s.unicasts.of) > perNetwork {
			t.Errorf("%d guests are remembered", len(s.unicasts.of))
		}
	})
}

func TestBadSolicitationsAreCountedAndNotAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Solicit(solicitation(guest)) // nothing is advertised yet
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Solicit(solicitation(guest, 1, 0))
		if c := s.Counters(); c.Discarded != 1 || len(w.take()) != 0 {
			t.Errorf("counted %+v", c)
		}
	})
}
