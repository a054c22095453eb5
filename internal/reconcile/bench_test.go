package reconcile

import (
	"context"
	"fmt"
	"net/netip"
	"testing"

	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// BenchmarkNoOpPass looks at the real kernel with many networks and finds nothing
// to do.
func BenchmarkNoOpPass(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("networks=%d", n), func(b *testing.B) {
			ns, err := netns.New()
			if err != nil {
				b.Skip(err)
			}
			defer ns.Close()
			system, err := Open(ns, "")
			if err != nil {
				b.Fatal(err)
			}
			defer system.Close()
			fingerprint, err := nft.Fingerprint(b.Context(), "")
			if err != nil {
				b.Fatal(err)
			}
			live := many(n)
			var journal []string
			e := New(Options{Host: system, Live: func() (*spec.Spec, error) { return live, nil },
				Record: &record{journal: &journal}, Facts: plan.Facts{HostID: "h", Program: fingerprint}})
			if r, err := e.pass(b.Context()); err != nil || r.Failed {
				b.Fatal(err, r.Problems)
			}
			for b.Loop() {
				if r, err := e.pass(context.Background()); err != nil || len(r.Ops) > 0 {
					b.Fatal(err, plan.Lines(r.Ops))
				}
			}
		})
	}
}

func many(n int) *spec.Spec {
	s := &spec.Spec{Networks: map[string]*spec.Network{}}
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 1}), 24)
		s.Networks[fmt.Sprintf("net%d", i)] = &spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{{Address: p}}}
	}
	s.Default()
	return s
}
