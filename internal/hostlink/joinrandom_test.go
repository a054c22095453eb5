package hostlink_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kvmnet/internal/hostlink"
)

// TestAnyBridgeComesBack makes up what a NIC has and what a bridge has, and stops each
// way somewhere; with -every-op otherwise each time. The seed is the name of the test.
func TestAnyBridgeComesBack(t *testing.T) {
	t.Parallel()
	count := 2
	if *everyOp {
		count = 60
	}
	if *seed != 0 {
		count = 1
	}
	for n := range count {
		seed := cmp.Or(*seed, uint64(n+1))
		if *everyOp && count > 1 {
			seed = rand.Uint64()
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			nic, bridge := madeUp(r), madeUpBridge(r)
			m := inhabited(t, nic, bridge, r.IntN(2) == 0)
			before := bothDumped(t, m.NS())
			state, ops := toJoin(t, m.NS())
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("configured by\n%q\n%q\njoined by\n%s", nic, bridge, text(ops))
				}
			})
			applyUntil(t, m.NS(), ops, r.IntN(len(ops)+1))
			rejoin(t, m.NS(), state)
			same(t, "after the revert", before, bothDumped(t, m.NS()))
			apply(t, m.NS(), ops)
			settled(t, m.NS())
			within, inside := look(t, m.NS(), "eth0"), bothDumped(t, m.NS())
			own := kept(t, *state.Bridge)
			parting, _, err := hostlink.Unconvert(within, &own)
			if err != nil {
				t.Fatal(err)
			}
			applyUntil(t, m.NS(), parting, r.IntN(len(parting)+1))
			rejoin(t, m.NS(), within)
			same(t, "after the revert of unconvert", inside, bothDumped(t, m.NS()))
			apply(t, m.NS(), parting)
			same(t, "after unconvert", before, bothDumped(t, m.NS()))
		})
	}
}

// elsewhere are the subnets, destinations, metrics and priorities of rules of a bridge
// that a NIC has not: of rules of one priority an unconversion does not know the order.
// IPv6 makes one route of two by gateways that have all that in common.
var elsewhere = strings.NewReplacer("eth0", "br0", "192.0.2.", "10.55.0.", "10.9.", "10.59.", "2001:db8::", "2001:db8:55::", "2001:db8:9::", "2001:db8:59::",
	"2001:db8:7::", "2001:db8:57::", "10.7.0.0", "10.57.0.0", "metric 10", "metric 20", "table 100", "table 200", "lookup 100", "lookup 200", "default", "10.3.0.0/16", "10.0.0.0/8", "10.4.0.0/16",
	"10.1.0.0/16", "10.5.0.0/16", "nexthop add id ", "nexthop add id 5", "nhid ", "nhid 5",
	"pref 10", "pref 15")

// madeUpBridge is a bridge with two ports, one, or none, and what might as well be on a
// NIC.
func madeUpBridge(r *rand.Rand) []string {
	lines := []string{"ip link add br0 address " + bridgeMAC + " type bridge forward_delay 1500"}
	for i := range r.IntN(3) {
		lines = append(lines, fmt.Sprintf("ip link set eth%d master br0", 2+i))
	}
	lines = append(lines, "ip link set br0 up")
	for _, line := range madeUp(r) {
		line = elsewhere.Replace(line)
		if strings.Contains(line, "-6") {
			line = strings.ReplaceAll(line, "10.3.0.0/16", "2001:db8:53::/48")
		}
		if strings.Contains(line, "br0") && !strings.Contains(line, "dev eth1") || strings.Contains(line, "nexthop via") {
			lines = append(lines, line)
		}
	}
	return append(lines, "ip route add default via 10.55.0.9 dev br0 metric 700 || true")
}
