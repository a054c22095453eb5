package daemon_test

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

const hostileLab = `
networks:
  quiet: {mode: isolated}
  red: {mode: isolated, subnets: [{address: 10.1.0.1/24}, {address: "fd00:1::1/64"}]}
  lab: {mode: nat, subnets: [{address: 10.2.0.1/24}, {address: "fd00:2::1/64"}]}
  pub: {mode: route, subnets: [{address: 10.3.0.1/24}, {address: "2001:db8:3::1/64"}]}
`

// TestIsolatedGuestReachesNothing gives a guest of an isolated network everything
// it could need to get out, and lets it try.
func TestIsolatedGuestReachesNothing(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	for _, to := range []string{"10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24"} { // the outside would answer
		if err := l.Outside.AddRoute(netip.MustParsePrefix(to), nstest.Machine4); err != nil {
			t.Fatal(err)
		}
	}
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	m.Apply(hostileLab)
	nat := guestOf(t, l, "lab", "10.2.0.7/24", "10.2.0.1", "fd00:2::7/64", "fd00:2::1")
	pub := guestOf(t, l, "pub", "10.3.0.7/24", "10.3.0.1", "2001:db8:3::7/64", "2001:db8:3::1")
	natEcho, pubEcho := nstest.Serve(t, nat), nstest.Serve(t, pub)
	targets := []string{"192.0.2.1", "192.0.2.2", "198.51.100.1", "10.2.0.1", "10.3.0.1", "10.2.0.7", "10.3.0.7",
		"2001:db8:2::1", "2001:db8:2::2", "fd00:2::1", "2001:db8:3::1", "fd00:2::7", "2001:db8:3::7"}
	sources := []string{"10.1.0.7", "10.2.0.9", "10.3.0.9", "192.0.2.9", "8.8.8.8", "fd00:1::7", "fd00:2::9", "2001:db8:3::9", "2001:db8:2::9"}
	for network, addresses := range map[string][]string{
		"red":   {"10.1.0.7/24", "10.1.0.1", "fd00:1::7/64", "fd00:1::1"},
		"quiet": {"10.1.0.7/24", "fd00:1::7/64"},
	} {
		t.Run(network, func(t *testing.T) {
			bad := guestOf(t, l, network, addresses...)
			if network == "quiet" { // it makes up a gateway: the host's MAC is on the wire
				routeThroughHost(t, l, bad)
			}
			var tries sync.WaitGroup // closing a packet socket waits for the kernel; together they wait once
			for _, to := range targets {
				for _, proto := range []testhost.Proto{testhost.ICMP, testhost.TCP, testhost.UDP} {
					tries.Go(func() {
						p := testhost.Probe{Proto: proto, To: netip.MustParseAddr(to), Timeout: 400 * time.Millisecond}
						if r := bad.Probe(t.Context(), p); r.OK {
							t.Errorf("%s guest reaches %s: %s", network, p, r)
						}
					})
				}
				for _, from := range sources {
					tries.Go(func() { spoof(t, l, bad, network, from, to) })
				}
			}
			tries.Wait()
			mac, err := bad.MAC("eth0")
			if err != nil {
				t.Fatal(err)
			}
			for who, echo := range map[string]*testhost.Echo{"outside": l.OutsideEcho, "neighbour": l.NeighbourEcho, "nat guest": natEcho, "route guest": pubEcho} {
				for _, p := range echo.Packets() {
					if isProbe(p, sources) || p.SrcMAC == mac {
						t.Errorf("%s got a packet of the %s guest: %s", who, network, p)
					}
				}
			}
		})
	}
	for _, g := range []*testhost.Host{nat, pub} { // and the others still work
		if r := g.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}); !r.OK {
			t.Errorf("%s: %s", g.Name(), r)
		}
	}
}

// isProbe reports whether a packet comes from one of the hostile sources. Those
// of the LAN's own prefix are nobody's real address.
func isProbe(p testhost.Packet, sources []string) bool {
	for _, s := range sources {
		if p.Src == netip.MustParseAddr(s) {
			return true
		}
	}
	return false
}

// spoof sends an echo request and a SYN with a foreign source, straight to the
// host's MAC.
func spoof(t *testing.T, l *nstest.Lab, bad *testhost.Host, bridge, from, to string) {
	t.Helper()
	src, dst := netip.MustParseAddr(from), netip.MustParseAddr(to)
	if src.Is4() != dst.Is4() {
		return
	}
	mac, err := l.Machine.MAC(bridge)
	if err != nil {
		t.Error(err)
		return
	}
	for _, p := range []testhost.Packet{
		{Proto: testhost.UDP, SrcPort: 5000, DstPort: testhost.EchoPort},
		{Proto: testhost.TCP, SrcPort: 5000, DstPort: testhost.EchoPort, Flags: testhost.SYN},
	} {
		p.Src, p.Dst, p.DstMAC = src, dst, mac
		if err := bad.Spoof(t.Context(), "eth0", p); err != nil {
			t.Error(err)
		}
	}
}

// routeThroughHost gives a guest of a network without addresses a default route
// by way of the bridge's MAC.
func routeThroughHost(t *testing.T, l *nstest.Lab, bad *testhost.Host) {
	t.Helper()
	mac, err := l.Machine.MAC("quiet")
	if err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, bad.NS(), "ip", "neigh", "replace", "10.1.0.1", "lladdr", mac.String(), "dev", "eth0")
	nstest.Run(t, bad.NS(), "ip", "route", "add", "default", "via", "10.1.0.1")
	nstest.Run(t, bad.NS(), "ip", "neigh", "replace", "fd00:1::1", "lladdr", mac.String(), "dev", "eth0")
	nstest.Run(t, bad.NS(), "ip", "route", "add", "default", "via", "fd00:1::1")
}

// TestHostStaysAsItWas brings a lab up and down on a host that has rules, bridges
// and settings of its own.
func TestHostStaysAsItWas(t *testing.T) {
	t.Parallel()
	ns := daemontest.Uplinked(t)
	nstest.Run(t, ns, "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "far1")
	nstest.Run(t, ns, "ip", "addr", "add", "172.30.0.1/24", "dev", "eth1")
	nstest.Run(t, ns, "ip", "link", "add", "docker0", "type", "bridge")
	nstest.Run(t, ns, "nft", "table inet theirs { set s { type ipv4_addr; elements = { 1.2.3.4 } } ; chain c { type filter hook forward priority 0; policy accept; ip saddr @s counter drop; }; }")
	lock := "XTABLES_LOCKFILE=" + t.TempDir() + "/lock" // only root may have the usual one
	nstest.Run(t, ns, "env", lock, "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-s", "172.30.0.0/24", "-j", "MASQUERADE")
	nstest.Run(t, ns, "env", lock, "iptables-legacy", "-A", "FORWARD", "-i", "eth1", "-j", "ACCEPT")
	foreign := func() string {
		return nstest.Run(t, ns, "nft", "list", "table", "inet", "theirs") + nstest.Run(t, ns, "iptables-legacy-save", "-t", "nat") +
			nstest.Run(t, ns, "iptables-legacy-save", "-t", "filter")
	}
	before, theirs := daemontest.Index.ReplaceAllString(nstest.Dump(t, ns), "$1"), comments(foreign())
	m := newMachine(t, ns)
	m.Start(0)
	m.Apply(allModes)
	m.Settled()
	if now := comments(foreign()); now != theirs {
		t.Errorf("foreign rules changed:\n%s\nwant\n%s", now, theirs)
	}
	for _, setting := range []string{"ipv4/conf/eth1/forwarding", "ipv4/conf/docker0/forwarding", "ipv4/conf/all/forwarding",
		"ipv6/conf/all/forwarding", "ipv6/conf/eth1/force_forwarding", "ipv4/conf/far0/forwarding"} {
		if v := nstest.Run(t, ns, "cat", "/proc/sys/net/"+setting); strings.TrimSpace(v) != "0" {
			t.Errorf("%s is %q with the lab up, want 0", setting, v)
		}
	}
	for _, port := range []string{"vm1", "vm2", "vm3"} {
		if err := m.Client.DeletePort(t.Context(), port); err != nil {
			t.Error(err)
		}
	}
	for _, network := range []string{"quiet", "red", "lab", "pub", "free", "lan"} {
		m.remove(network)
	}
	if err := m.Client.DeleteBridge(t.Context(), "br0"); err != nil {
		t.Error(err)
	}
	m.Stop()
	nstest.Eventually(t, 10*time.Second, func() error {
		if d := nstest.Diff(before, daemontest.Index.ReplaceAllString(nstest.Dump(t, ns), "$1")); d != "" {
			return fmt.Errorf("the host is not as before:\n%s", d)
		}
		return nil
	})
}

// counts are the packet counters of iptables' chains.
var counts = regexp.MustCompile(` \[\d+:\d+\]`)

// comments drops the lines in which iptables-save writes the time, and counters.
func comments(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(counts.ReplaceAllString(line, ""))
		}
	}
	return b.String()
}
