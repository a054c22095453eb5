package nft

import (
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
)

// A floating address leads to its guest from everywhere, by any protocol, and the
// guest appears with it outside.
func TestNSFloatingAddressesLeadBothWays(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"guest", "beside"}}, network{"net1", "nat", []string{"guest2"}})
	guest, outside := l.machines["guest"], l.machines["outside"]
	for _, a := range []struct{ floating, guest, host, outside string }{
		{"203.0.113.50", guest.v4.String(), "203.0.113.1", outside.v4.String()},
		{"2001:db8:1::50", guest.v6.String(), "2001:db8:1::1", outside.v6.String()},
	} {
		floating, to := netip.MustParseAddr(a.floating), netip.MustParseAddr(a.outside)
		fam := map[bool]string{true: "4", false: "6"}[floating.Is4()]
		// Deprecated, so that the host does not take it for the source of its own and of
		// its other guests' connections.
		l.host.ip("addr add " + netip.PrefixFrom(floating, floating.BitLen()).String() + " dev eth0 preferred_lft 0")
		l.apply(plan.Add, el("floating"+fam, a.floating, a.guest), el("floating_source"+fam, a.guest, a.floating))

		for from, source := range map[*machine]string{outside: a.outside, l.machines["guest2"]: address(l.machines["guest2"], fam), l.host: a.floating} {
			for _, protocol := range []string{"tcp", "udp", "icmp"} {
				saw, err := from.reach(protocol, floating, yes)
				if err != nil || protocol != "icmp" && saw != source {
					t.Errorf("%s of %s to %s: seen as %q, %v; want %s", protocol, from.name, floating, saw, err, source)
				}
			}
		}
		for from, source := range map[*machine]string{guest: a.floating, l.machines["beside"]: a.host} {
			if saw, err := from.reach("tcp", to, yes); err != nil || saw != source {
				t.Errorf("%s is seen outside as %q, %v; want %s", from.name, saw, err, source)
			}
		}
	}
}

func address(m *machine, fam string) string {
	if fam == "4" {
		return m.v4.String()
	}
	return m.v6.String()
}

func TestNSHitsCountConnections(t *testing.T) {
	t.Parallel()
	f := newForwardLab(t, "nat")
	f.forward("everywhere")
	outside, guest := f.machines["outside"], f.machines["guest"]
	for range 3 {
		if _, err := outside.ask("tcp", netip.MustParseAddrPort("203.0.113.1:8080"), "x", yes); err != nil {
			t.Fatal(err)
		}
	}
	for _, to := range []string{"203.0.113.1:20007", "[2001:db8:1::1]:1002"} {
		if _, err := outside.ask("udp", netip.MustParseAddrPort(to), "x", yes); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := guest.reach("tcp", outside.v4, yes); err != nil {
		t.Fatal(err)
	}
	hits, err := f.conn.Hits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]uint64{
		"forward4 tcp . 8080": 3, "forward_range4 udp . 5000-64999": 1, "forward6 udp . 1002": 1, "forward6 udp . 1003": 0, "masquerade4 net0": 1,
	} {
		hit, ok := hits[plan.Key{Kind: plan.KindElement, ID: id}]
		if !ok || hit.Packets != want {
			t.Errorf("%s: %d hits, there %v; want %d", id, hit.Packets, ok, want)
		}
	}
	// They do not count in what is observed.
	before := observe(t, f.conn).String()
	if _, err := outside.ask("tcp", netip.MustParseAddrPort("203.0.113.1:8080"), "x", yes); err != nil {
		t.Fatal(err)
	}
	f.conn.forget()
	if after := observe(t, f.conn).String(); after != before {
		t.Errorf("a connection changed what is observed:\n%s\nbefore\n%s", after, before)
	}
}
