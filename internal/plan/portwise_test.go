package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"

	"kvmnet/internal/spec"
)

// portLab is a host with everything that ports may hang together with.
func portLab() *spec.Spec {
	subnet := func(s string) []spec.Subnet { return []spec.Subnet{{Address: netip.MustParsePrefix(s)}} }
	return &spec.Spec{
		Networks: map[string]*spec.Network{
			"lab":  {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab"}, Subnets: subnet("10.2.0.1/24")},
			"red":  {Mode: spec.Isolated, Isolated: true, Bridge: spec.BridgeSettings{Name: "red", MTU: 9000}, Subnets: subnet("fd00::1/64")},
			"deep": {Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "deep"}},
			"lan":  {Mode: spec.Bridge, Bridge: spec.BridgeSettings{Name: "br0"}},
		},
		Bridges: map[string]*spec.HostBridge{"br0": {Ports: []string{"eth0"}}},
		Routers: map[string]*spec.Router{"r1": {Interfaces: []spec.Interface{
			{Network: "deep", Name: "eth1", Address: "10.3.0.1/24", Egress: spec.EgressNone},
			{Network: "red", Name: "eth2", Address: "10.4.0.1/24", Egress: spec.EgressNone}}}},
		Policies: map[string]*spec.Policy{"p": {From: "lab", To: "red", Priority: 100}},
		Ports:    map[string]*spec.Port{},
	}
}

func randomPort(r *rand.Rand, i int) *spec.Port {
	networks := []string{"lab", "red", "deep", "lan", "stopped"}
	p := &spec.Port{Network: networks[r.IntN(len(networks))], Type: spec.Tap, Interface: fmt.Sprintf("tap%d", i), MAC: spec.GenerateMAC(fmt.Sprint(i, r.Int()))}
	if r.IntN(4) == 0 {
		p.Type, p.Peer = spec.Veth, fmt.Sprintf("peer%d", i)
	}
	if r.IntN(3) == 0 {
		p.Unplugged = true
	}
	if r.IntN(3) == 0 {
		p.Bandwidth = &spec.Bandwidth{Out: spec.Limit{Rate: 1e6}}
	}
	if r.IntN(3) == 0 {
		p.Guard = spec.GuardStrict
	}
	if r.IntN(3) == 0 {
		p.Addresses = []netip.Addr{netip.MustParseAddr(fmt.Sprintf("10.2.0.%d", 10+i))}
	}
	return p
}

func portFacts() Facts {
	f := Facts{HostID: "h", Program: "p", IPv6: true, Links: map[string]Link{
		"eth0": {Name: "eth0", Type: "device"}, "tap99": {Name: "tap99", Type: "tap", Master: "lab"}}}
	return f
}

// TestPortsAloneComeToWhatAllComesTo adds, removes and changes ports at random, and
// compares what that comes to without the others with what all of it comes to.
func TestPortsAloneComeToWhatAllComesTo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	facts, before := portFacts(), portLab()
	for round := range 300 {
		after := *before
		after.Ports = maps.Clone(before.Ports)
		for range 1 + r.IntN(3) {
			i := r.IntN(20)
			if name := fmt.Sprintf("vm%d", i); after.Ports[name] != nil && r.IntN(2) == 0 {
				delete(after.Ports, name)
			} else {
				after.Ports[name] = randomPort(r, i)
			}
		}
		ports, only := PortsApart(before, &after)
		if !only {
			t.Fatal("more than ports differ")
		}
		got, c := Build(before, facts), NewPortwise(before, &after, ports, facts)
		for k, o := range c.was {
			if c.Want[k] != o {
				delete(got, k)
			}
		}
		for k, o := range c.Want {
			if c.was[k] != o {
				got[k] = o
			}
		}
		if want := Build(&after, facts); !maps.Equal(got, want) {
			t.Fatalf("round %d, ports %v: all comes to\n%s\nand the ports alone to\n%s", round, ports, want, got)
		}
		before = &after
	}
}

// TestPortsAloneAreJudgedByWhatIsSeen has a port's own ops made by a glance, and
// everything else refused.
func TestPortsAloneAreJudgedByWhatIsSeen(t *testing.T) {
	before := portLab()
	after := *before
	p := &spec.Port{Network: "lab", Type: spec.Tap, Interface: "tap1", MAC: spec.GenerateMAC("vm1")}
	after.Ports = map[string]*spec.Port{"vm1": p}
	plug := NewPortwise(before, &after, []string{"vm1"}, portFacts())
	ops, ok := plug.Diff(State{})
	if !ok || len(ops) != 5 {
		t.Errorf("a new port: %v\n%s", ok, Lines(ops))
	}
	done := State{}
	done.Add(Link{Mark: "port/vm1", Name: "tap1", Type: "tap", Master: "lab", MTU: 1500}, Up{Mark: "port/vm1", Link: "tap1"},
		Sysctl{Mark: "port/vm1", Family: "ipv6", Link: "tap1", Name: "disable_ipv6", Value: "1"})
	unplug := NewPortwise(&after, before, []string{"vm1"}, portFacts())
	if ops, ok := unplug.Diff(done); !ok || len(ops) != 3 { // the link, and its rows
		t.Errorf("a port that goes: %v\n%s", ok, Lines(ops))
	}
	taken := State{}
	taken.Add(Link{Name: "tap1", Type: "dummy"})
	if _, ok := plug.Diff(taken); ok {
		t.Error("a stranger has the port's name, and nobody minds")
	}
	after.Forwards = map[string]*spec.Forward{"web": {Network: "lab", Protocol: spec.TCP, To: spec.Target{Name: "vm1", Port: 80}, Listen: spec.Listen{Ports: spec.PortRange{From: 80, To: 80}}}}
	p.Addresses = []netip.Addr{netip.MustParseAddr("10.2.0.9")}
	led := *before
	led.Forwards = after.Forwards
	if _, ok := NewPortwise(&led, &after, []string{"vm1"}, portFacts()).Diff(State{}); ok {
		t.Error("a forward that leads to the port is none of its own things")
	}
	if _, only := PortsApart(before, &after); only {
		t.Error("a forward is no port")
	}
}
