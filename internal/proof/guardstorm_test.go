package proof

import (
	"fmt"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// storm is far more than a guest may send to everybody.
type storm struct {
	attack
	limit int // frames a second
}

var allStorms = []storm{
	{attack{"a broadcast storm", spec.GuardStorm, "victim", func(s *scene) [][]byte {
		return times(10*spec.DefaultStorm.Broadcast, func(int) testhost.Packet { return toAll(s.udp(s.evil.four, s.victim)) })
	}}, spec.DefaultStorm.Broadcast},
	{attack{"a storm of ARP", spec.GuardStorm, "victim", func(s *scene) [][]byte {
		return times(10*spec.DefaultStorm.Broadcast, func(int) testhost.Packet { return toAll(s.arp(1, s.evil.mac, s.evil.four, s.victim)) })
	}}, spec.DefaultStorm.Broadcast},
	{attack{"a multicast storm", spec.GuardStorm, "victim", func(s *scene) [][]byte {
		return times(3*spec.DefaultStorm.Multicast, func(int) testhost.Packet { return toAll(s.udp(s.evil.six, s.victim)) })
	}}, spec.DefaultStorm.Multicast},
}

// storms wants a part of each storm refused, the more the faster it blows, and all of
// it to come where nothing refuses it.
func (s *scene) storms(lax *scene) {
	s.t.Helper()
	for _, a := range allStorms {
		lax.blows(a)
		s.isLimited(a)
	}
}

func (s *scene) blows(a storm) {
	s.t.Helper()
	list := s.send(a.attack)
	nstest.Eventually(s.t, patience, func() error {
		if n := s.arrived(a.heard, list); n < len(list) {
			return fmt.Errorf("%s: without guards the %s gets %d of %d", a.name, a.heard, n, len(list))
		}
		return nil
	})
}

// isLimited wants no more to come than may come at once, and meanwhile: a busy machine
// has longer.
func (s *scene) isLimited(a storm) {
	s.t.Helper()
	before, begin := s.refused(s.t, s.port), time.Now()
	list := s.send(a.attack)
	nstest.Eventually(s.t, patience, func() error {
		delta := growth(before, s.refused(s.t, s.port))
		if n := s.arrived(a.heard, list); n+int(delta[a.word]) < len(list) {
			return fmt.Errorf("%s: of %d frames came %d, and were refused %v", a.name, len(list), n, delta)
		}
		return nil
	})
	most := 1 + a.limit + int(time.Since(begin).Seconds()*float64(a.limit))
	if n := s.arrived(a.heard, list); n > most || n == 0 {
		s.t.Errorf("%s: the %s got %d of %d frames, and may get 1 to %d", a.name, a.heard, n, len(list), most)
	}
}

// TestStormsHaveTheLimitsThatAreSaid, by a port and by a network.
func TestStormsHaveTheLimitsThatAreSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
networks: {lab: {mode: isolated, bridge: {name: lab0}, guard: storm, storm: {broadcast: 50}, subnets: [{address: 10.9.0.1/24}, {address: "fd00:9::1/64"}]}}
ports:
  mac: {network: lab, type: veth, peer: mac-p}
  off: {network: lab, type: veth, peer: off-p, storm: {broadcast: 20, multicast: 30}}
  victim: {network: lab, type: veth, peer: victim-p}
`)
	victim := (&scene{world: w, t: t}).fixed(w.port("victim", "10.9.0.6/24", "fd00:9::6/64"), 6)
	w.on(t, "mac", victim).isLimited(storm{allStorms[0].attack, 50})
	own := w.on(t, "off", victim)
	own.isLimited(storm{allStorms[0].attack, 20})
	own.isLimited(storm{allStorms[2].attack, 30})
}
