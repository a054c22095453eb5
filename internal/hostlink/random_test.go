package hostlink_test

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"kvmnet/internal/hostlink"
)

var seed = flag.Uint64("seed", 0, "make up this configuration, not random ones")

// TestAnyConfigurationComesBack makes up what a NIC has, and stops a conversion
// somewhere. The seed is the name of the test.
func TestAnyConfigurationComesBack(t *testing.T) {
	t.Parallel()
	count := 4
	if *everyOp {
		count = 100
	}
	if *seed != 0 {
		count = 1
	}
	for range count {
		seed := cmp.Or(*seed, rand.Uint64())
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 0))
			lines := madeUp(r)
			m, _ := machine(t, lines...)
			before, state := dump(t, m.NS()), look(t, m.NS(), "eth0", "br0")
			ops, _, err := hostlink.Convert(state, hostlink.Options{Bridge: "br0"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("configured by\n%q\nconverted by\n%s", lines, text(ops))
				}
			})
			applyUntil(t, m.NS(), ops, r.IntN(len(ops)+1))
			revert(t, m.NS(), state)
			same(t, "after the revert", before, dump(t, m.NS()))
			convert(t, m.NS())
			unconvert(t, m.NS())
			same(t, "after convert and unconvert", before, dump(t, m.NS()))
		})
	}
}

// madeUp is a configuration, each line of which may fail. What eth1 has comes first,
// and with other metrics where the kernel lets no one choose an order.
func madeUp(r *rand.Rand) []string {
	one := func(list ...string) string { return list[r.IntN(len(list))] }
	lines := []string{
		"ip addr add 198.51.100.2/24 dev eth1", "ip -6 addr add 2001:db8:1::2/64 dev eth1 nodad",
		"ip route add " + one("default", "10.0.0.0/8") + " via 198.51.100.1 dev eth1" + one("", " metric 100"),
		"ip -6 route add " + one("default", "2001:db8:9::/48") + " via 2001:db8:1::1 dev eth1 metric 300",
		"ip addr add 192.0.2.2/24 dev eth0" + one("", " noprefixroute", " metric 9", " brd +"), "ip -6 addr add 2001:db8::2/64 dev eth0 nodad",
	}
	for range r.IntN(12) {
		n := r.IntN(5) + 3
		lines = append(lines, one(
			fmt.Sprintf("ip addr add 192.0.2.%d/%s dev eth0", n, one("24", "25", "32", "31")+one("", " label eth0:x", " metric 5", " valid_lft 9000 preferred_lft 8000", " scope link")),
			fmt.Sprintf("ip addr add 10.9.%d.1 peer 10.9.%d.2/%s dev eth0", n, n, one("32", "30")),
			fmt.Sprintf("ip -6 addr add 2001:db8::%d/%s dev eth0", n, one("64", "128")+one("", " nodad", " noprefixroute", " preferred_lft 0", " valid_lft 9000 preferred_lft 8000", " metric 77")),
			fmt.Sprintf("ip route %s %s %s dev eth0 %s", one("append", "prepend"), one("default", "10.0.0.0/8", "10.1.0.0/16"),
				one("", "via 192.0.2.1", "via 192.0.2.9", "via 203.0.113.1 onlink"),
				one("", "metric 100", "table 100", "src 192.0.2.2", "proto dhcp metric 100", "mtu 1400", "tos 0x10")),
			fmt.Sprintf("ip -6 route append %s %s dev eth0 %s", one("default", "2001:db8:9::/48"), one("via fe80::1", "via 2001:db8::1"),
				one("metric 100", "metric 101 proto ra expires 9000", "metric 102 pref low", "table 100", "metric 103 hoplimit 9")),
			"ip route add 10.7.0.0/16 nexthop via 192.0.2.1 dev eth0 nexthop via 198.51.100.1 dev eth1 weight 5",
			"ip -6 route add 2001:db8:7::/48 nexthop via 2001:db8:1::1 dev eth1 nexthop via fe80::7 dev eth0",
			fmt.Sprintf("ip rule add pref %d %s eth0 lookup 100", 100+n, one("iif", "oif")),
			fmt.Sprintf("ip nexthop add id %d via 192.0.2.%d dev eth0 onlink && ip route append 10.%d.0.0/16 nhid %d", n, n+200, n+50, n),
			fmt.Sprintf("ip neigh add 192.0.2.%d lladdr 52:54:00:00:01:%02x dev eth0 nud permanent", n+90, n),
		)+" || true")
	}
	for i := range 6 {
		lines[i] += " || true"
	}
	return lines
}
