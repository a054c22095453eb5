package dns

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

func TestRateOfAClient(t *testing.T) {
	t.Parallel()
	var l limiter
	a, b := addr("10.0.0.2"), addr("10.0.0.3")
	count := func(client netip.Addr, now int64) (n int) {
		for range 1000 {
			if l.allow(client, 100, now) {
				n++
			}
		}
		return n
	}
	if n := count(a, 1e9); n != 100 {
		t.Errorf("%d at once", n)
	}
	if n := count(b, 1e9); n != 100 {
		t.Errorf("another client: %d", n)
	}
	if n := count(a, 15e8); n != 50 {
		t.Errorf("%d after half a second", n)
	}
	if n := count(a, 1e12); n != 100 {
		t.Errorf("%d after a long time", n)
	}
	if !l.allow(a, 0, 1e12) {
		t.Error("no limit is one")
	}
}

func TestRateTableIsBounded(t *testing.T) {
	t.Parallel()
	var l limiter
	a := addr("10.0.0.0")
	for range 3 * mostClients {
		a = a.Next()
		l.allow(a, 100, 1e9)
	}
	if len(l.full) > mostClients {
		t.Errorf("%d clients", len(l.full))
	}
}

func TestQueriesAboveTheRateAreDropped(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Rate = 5
	s := offline(t, c, Options{Local: isLabGateway})
	b := message(t, "vm1.lab.internal.", "A")
	answered := 0
	for range 20 {
		if len(s.ask(b, guest, false)) > 0 {
			answered++
		}
	}
	if n := s.Counters().Limited; answered < 5 || answered > 7 || int(n) != 20-answered {
		t.Errorf("%d answers, %d dropped", answered, n)
	}
	for range 20 { // the host is not limited
		if m := parse(t, s.ask(b, netip.AddrPortFrom(addr("192.168.100.1"), 5), false)); m.Rcode != dns.RcodeSuccess {
			t.Error(m)
		}
	}
}
