package proof

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// routed has every kind of kernel object that routers, forwards and policies make.
const routed = `
networks:
  red: {mode: isolated}
  green: {mode: isolated}
  transit: {mode: nat, subnets: [{address: 10.4.0.1/24}]}
routers:
  r1:
    connections: 1000
    uplinks:
      lan: {network: transit, address: 10.4.0.2/24, gateway: 10.4.0.1}
      host: {host: nat, address: 10.255.0.2/30, gateway: 10.255.0.1}
    interfaces:
      - {network: red, address: [10.9.0.1/24, "fd00:9::1/64"], egress: masquerade, uplink: host, killSwitch: true, bandwidth: {in: 10mbit}}
      - {network: green, address: 10.10.0.1/24, egress: snat, snat: {address: 10.4.0.3, ports: 20000-20999}, allow: [{protocol: tcp, ports: [80]}]}
    routes: [{to: 203.0.113.0/24, blackhole: true}]
forwards:
  web: {network: red, router: r1, listen: 8080, to: "10.9.0.5:80"}
  float: {network: red, router: r1, floating: 10.4.0.9, to: 10.9.0.6}
policies:
  red-to-green: {from: red, to: green, allow: [{protocol: tcp, ports: [5432]}]}
sets:
  office: {addresses: [192.0.2.0/24]}
`

// everyOp takes ten minutes more.
var everyOp = flag.Bool("every-op", false, "kill the daemon before every op of a router, not before each twelfth one, and convert NICs in every way")

// TestDaemonKilledAtEveryOpOfARouter kills the daemon before ops of bringing routers
// up and taking them down, as its sibling does for networks.
func TestDaemonKilledAtEveryOpOfARouter(t *testing.T) {
	every := 12
	if *everyOp {
		every = 1
	}
	up, down := daemontest.KillAtOps(t, routed, 2, every)
	if !testing.Short() && (up < 14 || down < 3) {
		t.Errorf("too few ops were cut: the lab is not what it should be")
	}
}

// TestRouterIsRepaired damages one router by hand; connections of the other go on.
func TestRouterIsRepaired(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoRouters)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1")
	blue := w.guest("blue-guest", "blue", "10.9.0.5/24", "10.9.0.1")
	nstest.Serve(t, w.Outside, 80)
	stream, err := blue.TCPStream(t.Context(), netip.AddrPortFrom(nstest.Outside4, 80))
	if err != nil {
		t.Fatal(err)
	}
	bound := daemontest.Options(w.Dir).NetnsDir + "/r1"
	for name, do := range map[string]func(){
		"namespace deleted": func() {
			// As ip netns del does; the daemon may have bound it anew before the file goes.
			nstest.Run(t, w.NS, "sh", "-c", `umount -l "$1"; rm "$1" || mountpoint -q "$1"`, "sh", bound)
		},
		"uplink deleted on the host": func() { nstest.Run(t, w.NS, "ip", "link", "del", "r1-uplink") },
		"interface deleted inside":   func() { nstest.Run(t, w.router("r1"), "ip", "link", "del", "eth0") },
		"rules flushed inside":       func() { nstest.Run(t, w.router("r1"), "nft", "flush", "ruleset") },
		"address deleted inside":     func() { nstest.Run(t, w.router("r1"), "ip", "addr", "flush", "dev", "uplink") },
		"unplugged":                  func() { nstest.Run(t, w.NS, "ip", "link", "set", "r1-eth0", "nomaster") },
		"forwarding off": func() {
			nstest.Run(t, w.router("r1"), "sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0")
		},
		"daemon killed": func() { w.Kill(); w.Start(0) },
	} {
		do()
		nstest.Eventually(t, patience, func() error {
			if r := red.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}); !r.OK || r.Seen != addr("192.0.2.11") {
				return fmt.Errorf("%s: %s", name, r)
			}
			return nil
		})
		w.Settled()
	}
	if r := goesOn(t, stream); r.Broken != "" || r.Bytes < 10_000 || r.LongestStall > stall {
		t.Errorf("the connection through the other router: %+v", r)
	}
}

// TestRouterLeavesNothing brings routers up and takes them away again.
func TestRouterLeavesNothing(t *testing.T) {
	t.Parallel()
	ns := daemontest.Uplinked(t)
	m := daemontest.NewMachine(t, ns)
	before := nstest.Dump(t, ns)
	m.Start(0)
	if r := m.Apply(routed); len(r.Problems) > 0 {
		t.Fatalf("problems: %v", r.Problems)
	}
	if again := m.Apply(routed); len(again.Ops) > 0 {
		t.Errorf("the second apply did\n%s", strings.Join(again.Ops, "\n"))
	}
	for _, object := range []string{"forward/web", "forward/float", "policy/red-to-green", "router/r1"} {
		kind, name, _ := strings.Cut(object, "/")
		if err := m.Client.Delete(t.Context(), kind, name); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"red", "green", "transit"} {
		if err := m.Client.Stop(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	m.Settled()
	nstest.Eventually(t, patience, func() error {
		if d := nstest.Diff(before, nstest.Dump(t, ns)); d != "" {
			return fmt.Errorf("left behind:\n%s", d)
		}
		return nil
	})
}
