package plan_test

import (
	"fmt"
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// BenchmarkBuild works out a thousand networks, with 10,000 forwards and 100
// policies, and compares them with themselves.
func BenchmarkBuild(b *testing.B) {
	s, facts := thousand(), plan.Facts{IPv6: true}
	for i := range 10000 {
		n := fmt.Sprintf("n%04d", i%1000)
		f := &spec.Forward{Network: n, Protocol: spec.TCP, To: spec.Target{Name: "vm-" + n, Port: 80}}
		f.Listen.Ports = spec.PortRange{From: uint16(i + 10000), To: uint16(i + 10000)}
		f.Listen.Addr = netip.MustParseAddr("192.0.2.1")
		if s.Forwards == nil {
			s.Forwards, s.Policies = map[string]*spec.Forward{}, map[string]*spec.Policy{}
		}
		s.Forwards[fmt.Sprint("f", i)] = f
		if i < 100 {
			s.Policies[fmt.Sprint("p", i)] = &spec.Policy{From: spec.Parties(n), To: "n0999", Allow: []spec.Traffic{{Protocol: spec.TCP}}}
		}
	}
	for b.Loop() {
		want := plan.Build(s, facts)
		if ops, _ := plan.Diff(want, want); len(ops) > 0 {
			b.Fatal(ops[0])
		}
	}
}
