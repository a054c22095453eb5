package proof

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// TestBandwidthOfANetworkIsLimitedInBothDirections: what its guests get from outside and
// from the host, and what they send there, all together. What they send each other is
// not the host's affair. As above, a slow machine is no reason to fail.
func TestBandwidthOfANetworkIsLimitedInBothDirections(t *testing.T) {
	t.Parallel()
	limited := func(l string) string {
		return lab(fmt.Sprintf(", bandwidth: {in: %[1]s, out: %[1]s}", l)) + `
forwards: {all: {network: lab, listen: 1024-65535, to: "10.9.0.5"}}`
	}
	w := newWorld(t, limited("8mbit"))
	a := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	b := w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	const megabyte, least = 1 << 20, 700 * time.Millisecond
	slow := func(what string, from, to *testhost.Host, address string) {
		t.Helper()
		if took := transfer(t, from.NS(), to.NS(), addr(address), megabyte); took < least {
			t.Errorf("%s: a megabyte took %s", what, took)
		}
	}
	slow("out", a, w.Outside, nstest.Outside4.String())
	slow("in", w.Outside, a, nstest.Machine4.String())
	slow("from the host", w.Lab.Machine, a, "10.9.0.5")
	nstest.Eventually(t, patience, func() error {
		if took := transfer(t, a.NS(), b.NS(), addr("10.9.0.6"), megabyte); took >= least {
			return fmt.Errorf("between guests a megabyte took %s", took)
		}
		return nil
	})
	// A burst of two megabytes lets one pass at once.
	for _, way := range [][2]*testhost.Host{{a, w.Outside}, {w.Outside, a}} {
		w.put(limited("8mbit burst 2048kb"))
		to := nstest.Outside4
		if way[1] == a {
			to = nstest.Machine4
		}
		nstest.Eventually(t, patience, func() error {
			if took := transfer(t, way[0].NS(), way[1].NS(), to, megabyte); took >= least {
				return fmt.Errorf("with room for it a megabyte took %s", took)
			}
			w.put(limited("7mbit"))
			w.put(limited("8mbit burst 2048kb"))
			return nil
		})
		w.put(limited("8mbit peak 9mbit burst 2048kb"))
		slow("held by the peak", way[0], way[1], to.String())
	}
}

// TestBandwidthOfANetworkGoesAsItCame, with other networks undisturbed.
func TestBandwidthOfANetworkGoesAsItCame(t *testing.T) {
	t.Parallel()
	const other = "\n  other: {mode: nat, bridge: {name: other0}, subnets: [{address: 10.7.0.1/24}], bandwidth: {in: 100mbit, out: 100mbit}}"
	with := func(more string) string {
		return "networks:\n  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]" + more + "}" + other
	}
	w := newWorld(t, with(""))
	g := w.guest("vm1", "other0", "10.7.0.5/24", "10.7.0.1")
	limited := w.guest("vm2", "lab0", "10.9.0.5/24", "10.9.0.1")
	before, s := w.dump(), steady(t, g, nstest.Outside4)
	own := steady(t, limited, nstest.Outside4)
	for _, l := range []string{"{out: 8mbit}", "{in: 8mbit, out: 9mbit peak 10mbit}", "{in: 10mbit burst 512kb}"} {
		w.put(with(", bandwidth: " + l))
		if again := w.Apply(with(", bandwidth: " + l)); len(again.Ops) > 0 {
			t.Errorf("%s: the second apply did\n%s", l, strings.Join(again.Ops, "\n"))
		}
		ask(t, everyProto(limited, nstest.Outside4.String(), nstest.Machine4.String()))
	}
	w.put(with(""))
	s.whole()
	own.whole()
	nstest.Same(t, before, w.dump())
}

// TestLimitsComeAndGoWithoutLoss pings a thousand times a second while the first limit
// of either way is set and the last one taken away.
func TestLimitsComeAndGoWithoutLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab(""))
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	var pings []*testhost.PingStream
	for _, a := range []netip.Addr{nstest.Internet4, addr("10.9.0.1")} {
		s, err := g.PingStream(t.Context(), a, time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		pings = append(pings, s)
	}
	const times = 10
	for range times {
		for _, l := range []string{"{in: 100mbit}", "{out: 100mbit}", "{in: 100mbit, out: 100mbit}"} {
			w.put(lab(", bandwidth: " + l))
			w.put(lab(""))
		}
	}
	for _, s := range pings {
		if r := s.Stop(); r.Lost > 0 || r.Sent < 100*times {
			t.Errorf("pings: %+v", r)
		} else {
			t.Logf("%+v", r)
		}
	}
}

// TestDetourThatSomebodyDeletedIsMended: until then its packets are lost.
func TestDetourThatSomebodyDeletedIsMended(t *testing.T) {
	t.Parallel()
	text := lab(", bandwidth: {out: 100mbit}")
	w := newWorld(t, text)
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	for _, damage := range []string{"ip link del ifb_lab", "nft delete table netdev kvmnet", "ip link set ifb_lab down"} {
		f := strings.Fields(damage)
		nstest.Run(t, w.NS, f[0], f[1:]...)
		reaches(t, g, nstest.Machine4.String())
		w.Settled()
		if out := nstest.Run(t, w.NS, "nft", "list", "ruleset", "netdev"); !strings.Contains(out, `fwd to "ifb_lab"`) {
			t.Errorf("after %s there is no detour:\n%s", damage, out)
		}
	}
}

// limited has what only networks of their own kind have: chosen sources, guests kept
// apart, limits.
const limited = `
networks:
  lab:
    mode: nat
    subnets: [{address: 10.9.0.1/24}]
    nat: {address: 10.4.0.3, ports: 20000-29999}
    isolated: true
    bandwidth: {in: 10mbit peak 20mbit burst 512kb, out: 10mbit}
  red: {mode: isolated, bandwidth: {out: 8mbit}}
`

// TestDaemonKilledAtEveryOpOfALimitedNetwork is like its sibling for routers.
func TestDaemonKilledAtEveryOpOfALimitedNetwork(t *testing.T) {
	every := 7
	if *everyOp {
		every = 1
	}
	up, down := daemontest.KillAtOps(t, limited, 2, every)
	if !testing.Short() && (up < 4 || down < 2) {
		t.Errorf("too few ops were cut: %d and %d", up, down)
	}
}
