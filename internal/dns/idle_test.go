package dns

import (
	"runtime"
	"testing"

	"kvmnet/internal/plan"
)

func TestSocketsTakeOneGoroutineEach(t *testing.T) {
	// Not parallel: all goroutines are counted.
	w := newWorld(t, nil, Options{})
	before := runtime.NumGoroutine()
	must(t, w.s.Set(labPlan(), w.bridge))
	if n := runtime.NumGoroutine() - before; n > 4 {
		t.Errorf("%d goroutines for two addresses", n)
	}
	before = runtime.NumGoroutine()
	must(t, w.s.Set(labPlan(), w.bridge))
	if n := runtime.NumGoroutine() - before; n > 0 {
		t.Errorf("%d goroutines more", n)
	}
}

// BenchmarkIdleServer reports the memory of servers that nobody asks, without
// their sockets.
func BenchmarkIdleServer(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var list []*Server
	for b.Loop() {
		s := New(Options{})
		s.adopt(&plan.DNS{Listen: addrs("192.168.100.1"), Domain: "lab.internal", Cache: 4096, TTL: 60}, 1)
		list = append(list, s)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(list)), "heap-B/server")
}
