package radv

import (
	"net/netip"
	"testing"

	"kvmnet/internal/captured"
	"kvmnet/internal/socket"
)

func TestCapturedSolicitationsAreAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range captured.Read(t) {
		s, w := newTest(t, 0.5)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Solicit(socket.Packet{MAC: guestMAC, From: netip.AddrPortFrom(c.From, 0), To: netip.AddrPortFrom(c.To, 0), HopLimit: 255, Payload: c.Payload})
		a := w.one(t)
		if ra := parse(t, a.Payload); a.To.Addr() != c.From || a.MAC != guestMAC || len(ra.Options) == 0 {
			t.Errorf("%s: answered %+v to %s at %s", name, ra, a.To, a.MAC)
		}
		if n := s.Counters(); n.Discarded != 0 || n.Unicast != 1 {
			t.Errorf("%s: counters %+v", name, n)
		}
	}
}
