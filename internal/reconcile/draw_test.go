package reconcile

import (
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestDrawingIsKeptWhileNothingChanges(t *testing.T) {
	live := func() *spec.Spec {
		s := many(3)
		s.Forwards = map[string]*spec.Forward{"web": {Network: "net0", Protocol: spec.TCP,
			Listen: spec.Listen{Ports: spec.PortRange{From: 80, To: 80}}, To: spec.Target{Name: "vm1"}}}
		return s
	}
	facts := func(guest string) plan.Facts {
		return plan.Facts{HostID: "h", Program: "p", Links: map[string]plan.Link{"eth0": {Name: "eth0", Type: "device"}},
			Guests: map[string]map[string][]netip.Addr{"net0": {"vm1": {netip.MustParseAddr(guest)}}}}
	}
	without := func(s *spec.Spec, network string) *spec.Spec {
		free := *s
		free.Networks = map[string]*spec.Network{}
		for name, n := range s.Networks {
			if name != network {
				free.Networks[name] = n
			}
		}
		return &free
	}
	e, first := New(Options{}), live()
	before := e.draw(first, first, facts("10.0.0.5"))
	if e.draw(first, without(first, ""), facts("10.0.0.5")) != before {
		t.Error("the same specs and facts are drawn anew")
	}
	other := live()
	for what, now := range map[string]*drawing{
		"a network that waits":      e.draw(first, without(first, "net1"), facts("10.0.0.5")),
		"a network that waits less": e.draw(first, first, facts("10.0.0.5")),
		"a guest that moved":        e.draw(first, first, facts("10.0.0.6")),
		"other specs":               e.draw(other, other, facts("10.0.0.6")),
	} {
		if now == before {
			t.Errorf("%s: drawn as before", what)
		}
		before = now
	}
}
