package hostlink_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/nstest"
)

// TestManyRoutesMoveAndComeBack: a router of a small provider has some thousands.
func TestManyRoutesMoveAndComeBack(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, "ip addr add 192.0.2.2/24 dev eth0", "ip route add default via 192.0.2.1")
	var b strings.Builder
	const count = 3000
	for n := range count {
		fmt.Fprintf(&b, "route add 10.%d.%d.0/24 via 192.0.2.%d\n", n/250, n%250, n%100+3)
	}
	configure(t, m.NS(), "ip -batch - <<'END'\n"+b.String()+"END")
	before, state := nstest.Run(t, m.NS(), "ip", "-4", "route"), look(t, m.NS(), "eth0", "br0")
	begin := time.Now()
	convert(t, m.NS())
	if out := nstest.Run(t, m.NS(), "sh", "-c", "ip -4 route | grep -c 'dev br0'"); strings.TrimSpace(out) != fmt.Sprint(count+2) {
		t.Errorf("%s routes moved", out)
	}
	revert(t, m.NS(), state)
	t.Logf("%d routes there and back in %s", count, time.Since(begin))
	same(t, "after the revert", before, nstest.Run(t, m.NS(), "ip", "-4", "route"))
}

// BenchmarkConvert works out the move of a usual NIC.
func BenchmarkConvert(b *testing.B) {
	m, _ := machine(b, configurations["two gateways"]...)
	s := look(b, m.NS(), "eth0", "br0")
	for b.Loop() {
		if _, _, err := hostlink.Convert(s, hostlink.Options{Bridge: "br0"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLook reads all that a NIC has.
func BenchmarkLook(b *testing.B) {
	m, _ := machine(b, configurations["two gateways"]...)
	for b.Loop() {
		look(b, m.NS(), "eth0", "br0")
	}
}
