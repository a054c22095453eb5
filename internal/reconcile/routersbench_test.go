package reconcile

import (
	"fmt"
	"testing"
	"time"

	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// manyRouters are n routers with an interface and an uplink each, by the steps in
// which they are made.
func manyRouters(b *testing.B, n int) (steps []string, objs map[string][]plan.Object) {
	b.Helper()
	fingerprint, err := nft.Fingerprint(b.Context(), "r0")
	if err != nil {
		b.Fatal(err)
	}
	steps, objs = []string{"netns", "rules", "links", "rest"}, map[string][]plan.Object{}
	add := func(step string, o ...plan.Object) { objs[step] = append(objs[step], o...) }
	for i := range n {
		name := fmt.Sprintf("r%d", i)
		owner := plan.Mark("router/" + name)
		add("netns", plan.Netns{Mark: owner, Name: name})
		add("rules", plan.Program{NS: name, Fingerprint: fingerprint})
		for _, inside := range []string{"eth0", "uplink"} {
			outside := name + "-" + inside
			add("links",
				plan.Link{Mark: owner, Name: outside, Type: "veth", Peer: inside, PeerNS: name},
				plan.Link{Mark: owner, NS: name, Name: inside, Type: "veth", MAC: spec.GenerateMAC(outside), Peer: outside})
			add("rest",
				plan.Sysctl{Mark: owner, NS: name, Family: "ipv4", Link: inside, Name: "forwarding", Value: "1"},
				plan.Sysctl{Mark: owner, NS: name, Family: "ipv4", Link: inside, Name: "arp_ignore", Value: "1"},
				plan.Addr{Mark: owner, NS: name, Link: inside, Prefix: mustPrefix("10.9.0.1/24")},
				plan.Up{Mark: owner, Link: outside}, plan.Up{Mark: owner, NS: name, Link: inside})
		}
	}
	return steps, objs
}

// BenchmarkRouters makes many routers and looks at them, a step after the other in
// milliseconds a router.
func BenchmarkRouters(b *testing.B) {
	for _, n := range []int{1, 200} {
		b.Run(fmt.Sprintf("routers=%d", n), func(b *testing.B) {
			took := map[string]time.Duration{}
			for b.Loop() {
				makeRouters(b, n, took)
			}
			for step, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(n)/float64(b.N), "ms-"+step)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func makeRouters(b *testing.B, n int, took map[string]time.Duration) {
	m := newMachine(b)
	steps, objs := manyRouters(b, n)
	for _, step := range steps {
		took[step] += timed(func() { m.must(plan.Add, objs[step]...) })
	}
	took["look"] += timed(func() { m.see() })
	took["restart"] += timed(func() {
		s := m.reopen()
		if _, err := s.Observe(b.Context()); err != nil {
			b.Fatal(err)
		}
	})
	b.StopTimer()
	m.must(plan.Del, objs["netns"]...)
	b.StartTimer()
}

func timed(do func()) time.Duration {
	start := time.Now()
	do()
	return time.Since(start)
}

// BenchmarkLookAtRouters looks at many routers in which nothing changes.
func BenchmarkLookAtRouters(b *testing.B) {
	for _, n := range []int{0, 200} {
		b.Run(fmt.Sprintf("routers=%d", n), func(b *testing.B) {
			m := newMachine(b)
			steps, objs := manyRouters(b, n)
			for _, step := range steps {
				m.must(plan.Add, objs[step]...)
			}
			m.see()
			for b.Loop() {
				m.see()
			}
		})
	}
}

// BenchmarkForeignNamespaces looks at a directory full of namespaces of others.
func BenchmarkForeignNamespaces(b *testing.B) {
	for _, n := range []int{0, 200} {
		b.Run(fmt.Sprintf("foreign=%d", n), func(b *testing.B) {
			m := newMachine(b)
			for i := range n {
				m.foreign(fmt.Sprintf("theirs%d", i), "")
			}
			m.see()
			for b.Loop() {
				m.see()
			}
		})
	}
}
