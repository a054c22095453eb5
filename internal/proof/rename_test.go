package proof

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// flows are a connection and pings that go on while something changes.
type flows struct {
	t     *testing.T
	name  string
	tcp   *testhost.TCPStream
	pings *testhost.PingStream
}

// steady begins a connection and pings from a guest.
func steady(t *testing.T, g *testhost.Host, to netip.Addr) *flows {
	t.Helper()
	tcp, err := g.TCPStream(t.Context(), netip.AddrPortFrom(to, testhost.EchoPort))
	if err != nil {
		t.Fatal(err)
	}
	pings, err := g.PingStream(t.Context(), to, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	return &flows{t, fmt.Sprintf("%s → %s", g.Name(), to), tcp, pings}
}

// whole ends them and wants nothing lost.
func (f *flows) whole() {
	f.t.Helper()
	if r := goesOn(f.t, f.tcp); r.Broken != "" || r.Bytes < 1000 || r.LongestStall > stall {
		f.t.Errorf("%s: the connection: %+v", f.name, r)
	}
	if r := f.pings.Stop(); r.Lost > 0 || r.Sent < 10 {
		f.t.Errorf("%s: the pings: %+v", f.name, r)
	}
}

// inUse is a network with all that can be on one, under a name of its bridge.
func inUse(bridge, more string) string {
	return strings.ReplaceAll(`
networks:
  lab:
    mode: nat
    bridge: {name: BRIDGE}
    subnets: [{address: 10.9.0.1/24, dhcp: {}}, {address: "fd00:9::1/64"}]
    routes: [{to: 10.70.0.0/16, via: 10.9.0.5}]
    bandwidth: {in: 100mbit, out: 100mbit}
    connections: 1000
`+more+`
  red: {mode: isolated}
routers:
  r1:
    uplink: {network: lab, address: 10.9.0.2/24, gateway: 10.9.0.1}
    interfaces: [{network: red, address: 10.10.0.1/24, egress: masquerade}]
ports:
  vm1: {network: lab, type: veth, interface: vm1, peer: vm1-p, mac: "52:54:00:00:00:01"}
policies: {mail: {from: lab, to: outside, deny: [{protocol: tcp, ports: 25}]}}
forwards: {web: {network: lab, listen: 8080, to: "10.9.0.5:80"}}
`, "BRIDGE", bridge)
}

// TestBridgeIsRenamedInPlace: guests, a router, a forward and who came in by it lose
// nothing, and the way back ends where it began.
func TestBridgeIsRenamedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, inUse("lab0", ""))
	guest := w.port("vm1", "10.9.0.5/24", "fd00:9::5/64", "10.9.0.1", "fd00:9::1")
	other := w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	red := w.guest("red1", "red", "10.10.0.5/24", "10.10.0.1")
	nstest.Serve(t, w.Lab.Machine, testhost.EchoPort)
	before := w.dump()
	index := nstest.Run(t, w.NS, "cat", "/proc/sys/net/ipv4/conf/lab0/forwarding") + indexOf(t, w, "lab0")
	all := []*flows{steady(t, guest, nstest.Outside4), steady(t, guest, nstest.Outside6), steady(t, other, addr("10.9.0.5")),
		steady(t, other, addr("10.9.0.1")), steady(t, red, nstest.Outside4)}
	for _, name := range []string{"new0", "lab.9"} {
		r := w.Apply(inUse(name, ""))
		if len(r.Problems) > 0 || !strings.Contains(strings.Join(r.Ops, "\n"), "rename link ") {
			t.Fatalf("problems %v, ops\n%s", r.Problems, strings.Join(r.Ops, "\n"))
		}
		if again := w.Apply(inUse(name, "")); len(again.Ops) > 0 {
			t.Errorf("the second apply did\n%s", strings.Join(again.Ops, "\n"))
		}
		if now := nstest.Run(t, w.NS, "cat", "/proc/sys/net/ipv4/conf/"+name+"/forwarding") + indexOf(t, w, name); now != index {
			t.Errorf("forwarding and number %q became %q", index, now)
		}
		ask(t, []question{
			{w.Outside, testhost.Probe{Proto: testhost.TCP, To: nstest.Machine4, Port: 8080}, "yes"},
			{w.Outside, testhost.Probe{Proto: testhost.TCP, To: addr("10.9.0.5")}, "no"},
			{other, testhost.Probe{Proto: testhost.UDP, To: nstest.Outside4}, nstest.Machine4.String()},
		})
	}
	w.put(inUse("lab0", ""))
	for _, f := range all {
		f.whole()
	}
	nstest.Eventually(t, patience, func() error {
		if d := nstest.Diff(before, nstest.Dump(t, w.NS)); d != "" {
			return fmt.Errorf("it is not as it was:\n%s", d)
		}
		return nil
	})
}

// dump is the machine as it is once all its addresses are sure.
func (w *world) dump() (text string) {
	w.t.Helper()
	w.Settled() // what was plugged in just now has its rows
	nstest.Eventually(w.t, patience, func() error {
		text = nstest.Dump(w.t, w.NS)
		if strings.Contains(text, "scope link * ") {
			return errors.New("an address is not sure yet")
		}
		return nil
	})
	return text
}

func indexOf(t *testing.T, w *world, link string) string {
	t.Helper()
	number, _, _ := strings.Cut(nstest.Run(t, w.NS, "ip", "-o", "link", "show", "dev", link), ":")
	return number
}

// TestBridgeIsNotRenamedToAStrangersName, and goes on as it is.
func TestBridgeIsNotRenamedToAStrangersName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab(""))
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	nstest.Run(t, w.NS, "ip", "link", "add", "new0", "type", "bridge")
	s := steady(t, g, nstest.Outside4)
	renamed := strings.ReplaceAll(lab(""), "lab0", "new0")
	if r := w.Apply(renamed); !strings.Contains(fmt.Sprint(r.Problems), "new0 exists (type bridge) and is not kvmnet's") {
		t.Errorf("problems: %v", r.Problems)
	}
	nstest.Run(t, w.NS, "ip", "link", "del", "new0")
	nstest.Eventually(t, patience, func() error {
		if drift := w.Drift(); len(drift) > 0 || indexOf(t, w, "new0") == "" {
			return fmt.Errorf("still to do: %q", drift)
		}
		return nil
	})
	s.whole()
}

// TestNetworkChangesInPlace goes through what can be changed of a network while it
// runs; connections that no change forbids lose nothing.
func TestNetworkChangesInPlace(t *testing.T) {
	t.Parallel()
	const subnets = `[{address: 10.9.0.1/24}, {address: "fd00:9::1/64"}]`
	network := func(mode, bridge, subnets, more string) string {
		return fmt.Sprintf("networks: {lab: {mode: %s, bridge: {name: lab0%s}, subnets: %s%s}}", mode, bridge, subnets, more)
	}
	w := newWorld(t, network("nat", "", subnets, ""))
	if err := w.Outside.AddRoute(netip.MustParsePrefix("10.9.0.0/24"), nstest.Machine4); err != nil {
		t.Fatal(err)
	}
	a := w.guest("vm1", "lab0", "10.9.0.5/24", "fd00:9::5/64", "10.9.0.1", "fd00:9::1")
	b := w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	out, in := steady(t, a, nstest.Outside4), steady(t, b, addr("10.9.0.5"))
	for _, c := range []struct{ what, text string }{
		{"mtu", network("nat", ", mtu: 1400", subnets, "")},
		{"mtu back", network("nat", "", subnets, "")},
		{"another subnet", network("nat", "", `[{address: 10.9.0.1/24}, {address: "fd00:9::1/64"}, {address: 10.99.0.1/24}]`, "")},
		{"a subnet less", network("nat", "", `[{address: 10.9.0.1/24}]`, "")},
		{"DHCP", network("nat", "", `[{address: 10.9.0.1/24, dhcp: {}}]`, "")},
		{"domain", network("nat", "", `[{address: 10.9.0.1/24, dhcp: {}}]`, ", dns: {domain: lab.test}")},
		{"bandwidth", network("nat", "", subnets, ", bandwidth: {out: 100mbit}")},
		{"more bandwidth", network("nat", "", subnets, ", bandwidth: {out: 200mbit peak 400mbit burst 512kb}")},
		{"no bandwidth", network("nat", "", subnets, "")},
		{"route", network("route", "", subnets, "")},
		{"open", network("open", "", subnets, "")},
		{"uplink", network("route", "", subnets, ", uplink: eth0")},
	} {
		w.put(c.text)
		if again := w.Apply(c.text); len(again.Ops) > 0 {
			t.Errorf("%s: the second apply did\n%s", c.what, strings.Join(again.Ops, "\n"))
		}
		if r := a.Probe(t.Context(), testhost.Probe{Proto: testhost.UDP, To: nstest.Outside4, Timeout: silence}); !r.OK {
			t.Errorf("%s: %s", c.what, r)
		}
		if t.Failed() {
			t.Fatalf("after %s: %+v, %+v", c.what, out.pings.Report(), out.tcp.Report())
		}
	}
	out.whole()
	in.whole()
}

// TestGatewayMACIsToldOf: guests know the new one at once. Where bridged frames are
// shown to IP's hooks, what they send to the old one meanwhile ends the connections
// that it belongs to: the kernel takes it for leaving by another interface.
func TestGatewayMACIsToldOf(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab(""))
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "fd00:9::5/64", "10.9.0.1", "fd00:9::1")
	four, six := steady(t, g, nstest.Outside4), steady(t, g, nstest.Outside6)
	text := strings.Replace(lab(""), "name: lab0", `name: lab0, mac: "52:54:00:99:99:99"`, 1)
	w.put(text)
	reaches(t, g, nstest.Machine4.String())
	for _, f := range []*flows{four, six} {
		if r := f.pings.Stop(); r.Lost > 20 {
			t.Errorf("%s: %+v", f.name, r)
		}
	}
}

// TestSTPIsSwitchedInPlace: connections live through the time for which the kernel has
// the ports wait.
func TestSTPIsSwitchedInPlace(t *testing.T) {
	t.Parallel()
	network := func(stp string) string { return strings.Replace(lab(""), "name: lab0", "name: lab0"+stp, 1) }
	w := newWorld(t, network(""))
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	out := steady(t, g, nstest.Outside4)
	for _, stp := range []string{", stp: true, forwardDelay: 2s", ""} {
		w.put(network(stp))
	}
	reaches(t, g, nstest.Machine4.String())
	if r := out.tcp.Stop(); r.Broken != "" {
		t.Errorf("the connection: %+v", r)
	}
}
