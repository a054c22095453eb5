package plan_test

import (
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
)

// takenOn is a host with a LAN, a VPN's wide route, and a network of ours.
func takenOn(t *testing.T) plan.TakenList {
	t.Helper()
	m := newMachine()
	err := m.observe(`
host
device eth0
device wg0 wireguard
link lab0 type bridge mtu 1500 owner network/lab
addr 192.168.1.5/24 dev eth0
addr 127.0.0.1/8 dev lo
addr fe80::1/64 dev eth0
addr 10.9.0.1/24 dev lab0
route 0.0.0.0/0 via 192.168.1.1 dev eth0
route 192.168.1.0/24 dev eth0
route 10.0.0.0/8 dev wg0
route 10.9.0.0/24 dev lab0
route fd00:5::/48 dev wg0
`)
	if err != nil {
		t.Fatal(err)
	}
	return plan.TakenBy(m.state)
}

func TestTakenIsWhatTheHostUsesItself(t *testing.T) {
	t.Parallel()
	want := []string{"192.168.1.0/24", "10.0.0.0/8", "192.168.1.0/24", "fd00:5::/48"} // addresses first
	got := takenOn(t).Prefixes()
	if len(got) != len(want) {
		t.Fatalf("want %v, got %v", want, got)
	}
	for i, p := range got {
		if p.String() != want[i] {
			t.Errorf("want %v, got %v", want, got)
		}
	}
}

func TestTakenBlocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ subnet, by string }{
		{"192.168.1.0/24", "address 192.168.1.5/24 on eth0"},
		{"192.168.1.128/25", "address 192.168.1.5/24 on eth0"},
		{"192.168.0.0/16", "address 192.168.1.5/24 on eth0"},
		{"192.168.2.0/24", ""},
		{"10.9.0.0/24", ""}, // inside a wider route
		{"10.0.0.0/8", "route 10.0.0.0/8 dev wg0"},
		{"8.0.0.0/6", "route 10.0.0.0/8 dev wg0"},
		{"fd00:5::/48", "route fd00:5::/48 dev wg0"},
		{"fd00:6::/48", ""},
	} {
		taken, blocked := takenOn(t).Blocks(netip.MustParsePrefix(c.subnet))
		if blocked != (c.by != "") || taken.By != c.by {
			t.Errorf("%s: want %q, got %q (%v)", c.subnet, c.by, taken.By, blocked)
		}
	}
}
