package proof

import (
	"net/netip"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

const apartText = `
bridges: {br0: {ports: [eth1]}}
networks:
  lab: {mode: nat, bridge: {name: lab0}, isolated: true, subnets: [{address: 10.9.0.1/24}, {address: "fd00:9::1/64"}]}
  route: {mode: route, bridge: {name: route0}, isolated: true, subnets: [{address: 10.8.0.1/24}]}
  red: {mode: isolated, isolated: true}
  lan: {mode: bridge, bridge: {name: br0}, isolated: true}
routers:
  r1:
    uplink: {bridge: br0, address: 192.0.2.11/24, gateway: 192.0.2.1}
    interfaces: [{network: red, address: 10.10.0.1/24, egress: masquerade}]
ports:
  vm1: {network: lab, type: veth, interface: vm1, peer: vm1-p, mac: "52:54:00:00:00:01"}
  lan1: {network: lan, type: veth, interface: lan1, peer: lan1-p, mac: "52:54:00:00:00:11"}
  lan2: {network: lan, type: veth, interface: lan2, peer: lan2-p, mac: "52:54:00:00:00:12"}
forwards: {web: {network: lab, listen: 8080, to: "10.9.0.6:80"}}
`

// port makes a host of the other end of a port of ours.
func (w *world) port(name string, addresses ...string) *testhost.Host {
	w.t.Helper()
	h := nstest.Host(w.t, name)
	if err := h.Adopt(w.NS, name+"-p", "eth0"); err != nil {
		w.t.Fatal(err)
	}
	addressed(w.t, h, addresses...)
	nstest.Serve(w.t, h, testhost.EchoPort, 80)
	return h
}

// TestIsolatedGuestsReachTheirGatewayAndNotEachOther, on networks of the host, behind
// a router, and on a LAN.
func TestIsolatedGuestsReachTheirGatewayAndNotEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apartText)
	ours := w.port("vm1", "10.9.0.5/24", "fd00:9::5/64", "10.9.0.1", "fd00:9::1")
	theirs := w.guest("vm2", "lab0", "10.9.0.6/24", "fd00:9::6/64", "10.9.0.1", "fd00:9::1")
	routed := w.guest("vm3", "route0", "10.8.0.5/24", "10.8.0.1")
	w.guest("vm4", "route0", "10.8.0.6/24", "10.8.0.1")
	red := w.guest("red1", "red", "10.10.0.5/24", "10.10.0.1")
	w.guest("red2", "red", "10.10.0.6/24", "10.10.0.1")
	lan1 := w.port("lan1", "192.0.2.51/24", "192.0.2.1")
	lan2 := w.port("lan2", "192.0.2.52/24", "192.0.2.1")
	w.Settled()
	ask(t, []question{
		{ours, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.1")}, "yes"},
		{theirs, testhost.Probe{Proto: testhost.ICMP, To: addr("fd00:9::1")}, "yes"},
		{ours, testhost.Probe{Proto: testhost.TCP, To: addr("10.9.0.6")}, "no"},
		{theirs, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.5")}, "no"},
		{theirs, testhost.Probe{Proto: testhost.ICMP, To: addr("fd00:9::5")}, "no"},
		{ours, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}, nstest.Machine4.String()},
		{theirs, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside6}, nstest.Machine6.String()},
		{routed, testhost.Probe{Proto: testhost.TCP, To: addr("10.8.0.6")}, "no"},
		{red, testhost.Probe{Proto: testhost.ICMP, To: addr("10.10.0.1")}, "yes"},
		{red, testhost.Probe{Proto: testhost.TCP, To: addr("10.10.0.6")}, "no"},
		{red, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}, "192.0.2.11"},
		{lan1, testhost.Probe{Proto: testhost.ICMP, To: addr("192.0.2.52")}, "no"},
		{lan2, testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}, "192.0.2.52"},
		{w.Outside, testhost.Probe{Proto: testhost.TCP, To: addr("192.0.2.51")}, "yes"},
	})
	// A guest that makes its gateway the next hop to its neighbour, on a host whose
	// bridged frames are shown to IP's hooks and on one where they are not.
	var around []question
	for _, c := range []struct {
		from    *testhost.Host
		to, via string
	}{{ours, "10.9.0.6", "10.9.0.1"}, {theirs, "fd00:9::5", "fd00:9::1"}, {routed, "10.8.0.6", "10.8.0.1"}, {red, "10.10.0.6", "10.10.0.1"}} {
		if err := c.from.AddRoute(netip.PrefixFrom(addr(c.to), addr(c.to).BitLen()), addr(c.via)); err != nil {
			t.Fatal(err)
		}
		around = append(around, everyProto(c.from, c.to, "no")...)
	}
	ask(t, around)
	for _, hook := range []string{"iptables", "ip6tables"} {
		if err := w.Lab.Machine.Sysctl("net/bridge/bridge-nf-call-"+hook, "0"); err != nil {
			t.Fatal(err)
		}
	}
	led := question{ours, testhost.Probe{Proto: testhost.TCP, To: nstest.Machine4, Port: 8080}, "10.9.0.1"} // by a forward
	ask(t, append(around, led))
	if w.counter("", "isolated") == 0 || w.counter("r1", "isolated") == 0 {
		t.Error("nobody counted what was turned back")
	}
}

// TestIsolatedGuestsCannotPassByTheAddressOfTheirPort: the bridge takes in what is
// sent to one of its ports, and the host would turn it around.
func TestIsolatedGuestsCannotPassByTheAddressOfTheirPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, apartText)
	attacker := w.port("vm1", "10.9.0.5/24")
	victim := w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	w.Settled()
	heard, err := victim.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return p.IsEcho() && !p.Outgoing })
	if err != nil {
		t.Fatal(err)
	}
	port := func(name string) spec.MAC {
		mac, err := w.Lab.Machine.MAC(name)
		if err != nil {
			t.Fatal(err)
		}
		return mac
	}
	for _, mac := range []spec.MAC{port("vm1"), port(nstest.PortName("vm2")), port("lab0"), {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}} {
		p := testhost.Packet{Proto: testhost.ICMP, Src: addr("10.9.0.5"), Dst: addr("10.9.0.6"), DstMAC: mac}
		if err := attacker.Spoof(t.Context(), "eth0", p); err != nil {
			t.Fatal(err)
		}
	}
	ask(t, []question{{victim, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.1")}, "yes"}}) // all is through
	if list := heard.Packets(); len(list) > 0 {
		t.Errorf("the neighbour heard %v", list)
	}
}

// TestIsolationIsSwitchedInPlace: guests keep their NICs and connections to the
// outside, and what others plugged in is given back as it was.
func TestIsolationIsSwitchedInPlace(t *testing.T) {
	t.Parallel()
	const on = `, isolated: true`
	w := newWorld(t, lab(""))
	a := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	b := w.guest("vm2", "lab0", "10.9.0.6/24", "10.9.0.1")
	before := w.dump()
	s := steady(t, a, nstest.Outside4)
	for range 2 {
		ask(t, everyProto(b, "10.9.0.5", "yes"))
		w.put(lab(on))
		if again := w.Apply(lab(on)); len(again.Ops) > 0 {
			t.Errorf("the second apply did %q", again.Ops)
		}
		ask(t, everyProto(b, "10.9.0.5", "no"))
		w.put(lab(""))
	}
	ask(t, everyProto(b, "10.9.0.5", "yes"))
	s.whole()
	nstest.Same(t, before, w.dump())
}
