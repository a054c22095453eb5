package dhcp4

import (
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/plan"
)

func TestRateOfOneSender(t *testing.T) {
	t.Parallel()
	d := lab()
	d.Rate = 10
	world(t, d, func(r *rig) {
		time.Sleep(time.Second)
		for range 25 {
			r.handle(guest(1), msg(discover, guest(1)))
		}
		if c := r.server.Counters(); c.RateLimited != 15 || c.Received != 25 {
			t.Errorf("counters %+v", c)
		}
		r.handle(guest(2), msg(discover, guest(2)))
		if c := r.server.Counters(); c.RateLimited != 15 {
			t.Error("another sender is limited, too")
		}
		time.Sleep(500 * time.Millisecond)
		for range 25 {
			r.handle(guest(1), msg(discover, guest(1)))
		}
		if c := r.server.Counters(); c.RateLimited != 35 {
			t.Errorf("half a second later: counters %+v", c)
		}
	})
}

func TestClientsOfATrustedRelayAgentAreCountedEach(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Relays = []netip.Addr{addr("192.168.100.7")} })
	d.Rate = 2
	world(t, d, func(r *rig) {
		ask := func(agent string, n byte) uint64 {
			before := r.server.Counters().RateLimited
			for i := range n {
				r.handle(guest(9), msg(discover, unseen(i), giaddr(agent)))
			}
			return r.server.Counters().RateLimited - before
		}
		if n := ask("192.168.100.7", 10); n != 0 {
			t.Errorf("%d of ten clients are kept out", n)
		}
		if n := ask("192.168.100.8", 10); n != 8 {
			t.Errorf("%d of ten requests of an agent that nobody trusts are dropped", n)
		}
	})
}
