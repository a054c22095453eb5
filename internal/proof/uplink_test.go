package proof

import (
	"fmt"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// reaches waits until a guest reaches the outside under an address; "no" waits until
// it does not.
func reaches(t *testing.T, g *testhost.Host, as string) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		r := g.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4, Timeout: silence / 4})
		if as == "no" && r.OK || as != "no" && (!r.OK || r.Seen != addr(as)) {
			return fmt.Errorf("%s → outside: %s, want %s", g.Name(), r, as)
		}
		return nil
	})
}

// TestUplinkGetsItsAddressByDHCP has a router that is a guest of a NAT network, whose
// address outlives the daemon and is given back at the end.
func TestUplinkGetsItsAddressByDHCP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
networks:
  red: {mode: isolated}
  transit: {mode: nat, subnets: [{address: 10.4.0.1/24, dhcp: {}}]}
routers:
  r1:
    uplink: {network: transit, dhcp: true}
    interfaces: [{network: red, address: 10.9.0.1/24, egress: masquerade}]
`)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	reaches(t, red, nstest.Machine4.String())
	w.Kill()
	began := time.Now()
	w.Start(0)
	w.Settled()
	reaches(t, red, nstest.Machine4.String())
	nstest.Eventually(t, patience, func() error { // it asks whether its lease still holds
		leases, err := w.Client.Leases(t.Context(), "transit")
		if err != nil || len(leases) != 1 || leases[0].State != "bound" || leases[0].Expires.Sub(began) < time.Hour {
			return fmt.Errorf("not confirmed since %s: %v, %v", began, leases, err)
		}
		return nil
	})
	if err := w.Client.Delete(t.Context(), "router", "r1"); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, patience, func() error {
		if leases, err := w.Client.Leases(t.Context(), "transit"); err != nil || len(leases) != 0 && leases[0].State == "bound" {
			return fmt.Errorf("not given back: %v, %v", leases, err)
		}
		return nil
	})
}

// TestRouterWaitsForItsUplink has a router whose bridge comes late, goes and comes
// again.
func TestRouterWaitsForItsUplink(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
networks: {red: {mode: isolated}}
routers:
  r1:
    uplink: {bridge: late0, address: 192.0.2.11/24, gateway: 192.0.2.1}
    interfaces: [{network: red, address: 10.9.0.1/24, egress: masquerade}]
`)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	ask(t, []question{{red, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.1")}, "yes"}})
	for range 2 {
		for _, args := range [][]string{{"link", "add", "late0", "type", "bridge"}, {"link", "set", "eth1", "master", "late0"}, {"link", "set", "late0", "up"}} {
			nstest.Run(t, w.NS, "ip", args...)
		}
		reaches(t, red, "192.0.2.11")
		nstest.Run(t, w.NS, "ip", "link", "del", "late0")
		reaches(t, red, "no")
	}
}

// TestKillSwitchLeavesByNothingElse takes one of two uplinks away: the network with
// the switch is silent, its neighbour leaves by the other.
func TestKillSwitchLeavesByNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, `
bridges: {br0: {ports: [eth1]}}
networks:
  red: {mode: isolated}
  green: {mode: isolated}
  transit: {mode: nat, subnets: [{address: 10.4.0.1/24}]}
routers:
  r1:
    uplinks:
      lan: {bridge: br0, address: 192.0.2.11/24, gateway: 192.0.2.1}
      nat: {network: transit, address: 10.4.0.2/24, gateway: 10.4.0.1}
    interfaces:
      - {network: red, address: 10.9.0.1/24, egress: masquerade, uplink: lan, killSwitch: true}
      - {network: green, address: 10.10.0.1/24, egress: masquerade, uplink: lan}
`)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	green := w.guest("green-guest", "green", "10.10.0.5/24", "10.10.0.1")
	reaches(t, red, "192.0.2.11")
	reaches(t, green, "192.0.2.11")
	if err := w.Client.Pause(t.Context(), true); err != nil { // else it is repaired at once
		t.Fatal(err)
	}
	nstest.Run(t, w.router("r1"), "ip", "link", "set", "lan", "down")
	reaches(t, green, nstest.Machine4.String())
	reaches(t, red, "no")
	if err := w.Client.Pause(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	reaches(t, red, "192.0.2.11")
	reaches(t, green, "192.0.2.11")
}
