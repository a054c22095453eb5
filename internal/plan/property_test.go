package plan_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// drawHost makes a machine with foreign links, routes and settings; some of the
// links have names that specs want.
func drawHost(t *rapid.T) *machine {
	m := newMachine()
	words := rapid.SampledFrom([]string{"", "old", "noipv6"}).Draw(t, "kernel")
	for _, w := range []string{"forwards4", "forwards6"} {
		if rapid.IntRange(0, 3).Draw(t, w) == 0 {
			words += " " + w
		}
	}
	lines := []string{"host " + words, "device eth0", "device eth1", "device eth2", "device virbr9 bridge"}
	maybe := func(line string) {
		if rapid.Bool().Draw(t, line) {
			lines = append(lines, line)
		}
	}
	maybe("sysctl net/ipv4/conf/eth1/forwarding = 1")
	lines = append(lines, "addr 198.51.100.5/24 dev eth0")
	maybe("route 0.0.0.0/0 via 198.51.100.1 dev eth0")
	maybe("route 0.0.0.0/0 via 203.0.113.1 dev eth1 metric 100")
	if !strings.Contains(words, "noipv6") {
		maybe("learned route ::/0 via fe80::1 dev eth0")
		if strings.Contains(words, "forwards6") { // then a host learns with accept_ra=2 only
			lines = append(lines, "sysctl net/ipv6/conf/eth0/accept_ra = 2")
		}
		maybe("route ::/0 via fe80::2 dev eth1 metric 100")
	}
	maybe("link vnet7 type tap mtu 1500 master virbr9")
	maybe("link eth2 type device mtu 1500 master virbr9")
	maybe("link vnet8 type tap mac 52:54:00:0a:0b:0c mtu 1500")
	maybe("device lab3 bridge")
	maybe("device tap3 tap")
	maybe("device tap2p")
	if rapid.IntRange(0, 3).Draw(t, "taken") == 0 {
		lines = append(lines, rapid.SampledFrom([]string{"netns r0", "device r1-eth0 veth", "device r0-isp1"}).Draw(t, "taken by"))
	}
	if err := m.observe(strings.Join(lines, "\n")); err != nil {
		t.Fatal(err)
	}
	return m
}

// drawSpec makes a live spec: valid, but for ports of networks that do not run.
func drawSpec(t *rapid.T, label string) *spec.Spec {
	s := &spec.Spec{Networks: map[string]*spec.Network{}, Bridges: map[string]*spec.HostBridge{}, Ports: map[string]*spec.Port{}}
	flip := func(name string) bool { return rapid.Bool().Draw(t, label+name) }
	if flip("br0") {
		s.Bridges["br0"] = &spec.HostBridge{Ports: []string{"eth2"}, STP: flip("stp")}
		if flip("br0 address") {
			s.Bridges["br0"].Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.5/24"), netip.MustParsePrefix("2001:db8:2::5/64")}
			s.Bridges["br0"].Gateway = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1")}
		}
	}
	// Networks and ports get their interfaces from one shuffled list each, so that
	// names wander from object to object and between types.
	names := rapid.Permutation([]string{"lab0", "lab1", "lab2", "lab3", "tap0"}).Draw(t, label+"bridges")
	for i := range 3 {
		if flip(fmt.Sprint("net", i)) {
			s.Networks[fmt.Sprint("n", i)] = drawNetwork(t, fmt.Sprint(label, "net", i, " "), names[i], i)
		}
	}
	taps := rapid.Permutation([]string{"tap1", "tap2", "tap3", names[3]}).Draw(t, label+"taps")
	for i := range 3 {
		if !flip(fmt.Sprint("port", i)) {
			continue
		}
		p := &spec.Port{Network: fmt.Sprint("n", rapid.IntRange(0, 2).Draw(t, fmt.Sprint(label, "of", i))),
			Interface: taps[i], MAC: spec.MAC{0x52, 0x54, 0, 0, 0, byte(i)}}
		if n := s.Networks[p.Network]; n != nil && n.Direct != nil {
			p.Device = rapid.SampledFrom([]string{"", "", n.Direct.Devices[0]}).Draw(t, fmt.Sprint(label, "device", i))
			p.Type = spec.Macvtap
		} else if rapid.IntRange(0, 3).Draw(t, fmt.Sprint(label, "held", i)) == 0 {
			p.Held, p.Interface = spec.HeldOutside, []string{"vnet8", "vnet9", "vnet6"}[i]
		} else if flip(fmt.Sprint("veth", i)) {
			p.Type, p.Peer = spec.Veth, taps[i]+"p" // a pair that changes hands keeps its other end
		}
		if p.Type != spec.Macvtap && rapid.IntRange(0, 2).Draw(t, fmt.Sprint(label, "limited", i)) == 0 {
			p.Bandwidth = &spec.Bandwidth{In: drawLimit(t, fmt.Sprint(label, "in", i)), Out: drawLimit(t, fmt.Sprint(label, "out", i))}
		}
		p.Unplugged = rapid.IntRange(0, 4).Draw(t, fmt.Sprint(label, "unplugged", i)) == 0
		s.Ports[fmt.Sprint("p", i)] = p
	}
	if flip("routers") {
		drawRouters(t, label, s)
	}
	s.Default()
	return s
}

func drawNetwork(t *rapid.T, label, bridge string, i int) *spec.Network {
	n := &spec.Network{Mode: rapid.SampledFrom(spec.Modes).Draw(t, label+"mode"), Bridge: spec.BridgeSettings{Name: bridge}}
	if n.Mode == spec.Bridge {
		n.Bridge.Name = rapid.SampledFrom([]string{"br0", "virbr9", ""}).Draw(t, label+"bridge")
		if n.Bridge.Name == "" {
			mode := rapid.SampledFrom([]spec.DirectMode{"", spec.DirectPrivate, spec.DirectPassthrough}).Draw(t, label+"direct")
			n.Direct = &spec.Direct{Mode: mode, Devices: rapid.Permutation([]string{"eth0", "eth1", "eth9"}).Draw(t, label+"devices")}
			return n
		}
		n.Isolated = rapid.Bool().Draw(t, label+"isolated")
		return n
	}
	n.Isolated = rapid.IntRange(0, 2).Draw(t, label+"isolated") == 0
	if rapid.IntRange(0, 2).Draw(t, label+"limited") == 0 {
		n.Bandwidth = &spec.Bandwidth{In: drawLimit(t, label+"in "), Out: drawLimit(t, label+"out ")}
	}
	n.Bridge.MTU = rapid.SampledFrom([]int{0, 1400, 9000}).Draw(t, label+"mtu")
	j := i + 10*rapid.IntRange(0, 1).Draw(t, label+"subnets")
	v4 := spec.Subnet{Address: netip.MustParsePrefix(fmt.Sprintf("10.0.%d.1/24", j))}
	v6 := spec.Subnet{Address: netip.MustParsePrefix(fmt.Sprintf("fd00:%d::1/64", j))}
	families := rapid.IntRange(0, 3).Draw(t, label+"families")
	if families == 0 && n.Mode != spec.Isolated {
		families = 1
	}
	if families&1 != 0 {
		n.Subnets = append(n.Subnets, v4)
		n.Routes = append(n.Routes, spec.StaticRoute{To: netip.MustParsePrefix(fmt.Sprintf("10.7%d.0.0/16", i)), Via: v4.Address.Addr().Next()})
	}
	if families&2 != 0 {
		n.Subnets = append(n.Subnets, v6)
		n.Routes = append(n.Routes, spec.StaticRoute{To: netip.MustParsePrefix(fmt.Sprintf("fd07:%d::/48", i)), Via: v6.Address.Addr().Next(), Metric: 1024})
	}
	if n.Mode == spec.NAT || n.Mode == spec.Route {
		n.Uplink = rapid.SampledFrom([]string{"", "", "eth0", "eth1", "eth9"}).Draw(t, label+"uplink")
	}
	if n.Mode == spec.NAT {
		own := rapid.Bool().Draw(t, label+"masquerade6")
		n.NAT = &spec.NATSettings{IPv6: &own}
		if rapid.IntRange(0, 2).Draw(t, label+"range") == 0 {
			n.NAT.Address = spec.AddrRange{From: netip.MustParseAddr("198.51.100.8"), To: netip.MustParseAddr("198.51.100.9")}
		}
		if rapid.IntRange(0, 2).Draw(t, label+"ports") == 0 {
			n.NAT.Ports = spec.PortRange{From: 20000, To: 29999}
		}
	}
	return n
}

func drawLimit(t *rapid.T, label string) spec.Limit {
	rates := []spec.Rate{0, 8e6, 10e6}
	l := spec.Limit{Rate: rapid.SampledFrom(rates).Draw(t, label+"rate")}
	if l.Rate > 0 {
		l.Peak = rapid.SampledFrom(append(rates, 100e6)).Draw(t, label+"peak")
		l.Burst = rapid.SampledFrom([]int64{0, 1 << 10, 512 << 10}).Draw(t, label+"burst")
	}
	return l
}

// TestSpecsAreValid keeps the generator honest.
func TestSpecsAreValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, "")
		for i := range 3 {
			if name := fmt.Sprint("n", i); s.Networks[name] == nil {
				s.Networks[name] = &spec.Network{Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "idle" + name}}
			}
		}
		for _, p := range s.Validate() {
			t.Error(p)
		}
	})
}

// guard returns a check that holds after every op of a pass that began in a
// state made by us: no packet gets past our rules, and the host loses nothing.
func guard(m *machine, host *machine) func(plan.Op) error {
	return func(op plan.Op) error {
		if ruled(op) && op.Verb != plan.Del {
			return nil // rules come in one transaction
		}
		for l := range plan.Of[plan.Link](m.state) {
			if err := m.guardLink(l); err != nil {
				return err
			}
		}
		if err := m.guardForwarding(host); err != nil {
			return err
		}
		return m.sameHost(host)
	}
}

// ruled reports whether an op is part of a transaction of rules.
func ruled(op plan.Op) bool {
	kind := op.Object.Key().Kind
	return kind >= plan.KindProgram && kind <= plan.KindElement
}

// guardLink: a bridge of a network is judged, and a port of ours that is up is
// in a bridge.
func (m *machine) guardLink(l plan.Link) error {
	_, up := m.state[plan.Up{Link: l.Name}.Key()]
	switch {
	case strings.HasPrefix(l.Owner(), "network/") && l.Type == "bridge":
		for _, set := range []string{"bridges", "from", "to"} {
			if _, ok := m.state[plan.Element{Map: set, ID: l.Name}.Key()]; !ok {
				return fmt.Errorf("bridge %s exists without a row in %s", l.Name, set)
			}
		}
	case l.NS != "" || strings.HasPrefix(l.Owner(), "router/"):
		return m.guardRouter(l)
	case strings.HasPrefix(l.Owner(), "port/") && up && l.Master == "" && l.Type != "macvtap" && l.Type != "ifb":
		return fmt.Errorf("port %s is up without a bridge", l.Name)
	}
	if _, plugged := m.record["plugged/"+l.Name]; plugged && up && l.Master == "" {
		return fmt.Errorf("%s was plugged in, and is up without a bridge", l.Name)
	}
	return nil
}

// guardForwarding: what forwards because of us is held, and only that.
func (m *machine) guardForwarding(host *machine) error {
	all6 := m.value("ipv6", "all", "forwarding") != host.value("ipv6", "all", "forwarding")
	for l := range plan.Of[plan.Link](m.state) {
		ours := strings.HasPrefix(l.Owner(), "network/") || strings.HasPrefix(l.Owner(), "port/") || strings.HasPrefix(l.Owner(), "router/")
		if ours || l.NS != "" || l.Name == "lo" {
			continue
		}
		changed := func(family, name string) bool {
			was := host.value(family, l.Name, name)
			return m.value(family, l.Name, name) == "1" && was != "1"
		}
		_, held4 := m.state[plan.Element{Map: "held4", ID: l.Name}.Key()]
		_, held6 := m.state[plan.Element{Map: "held6", ID: l.Name}.Key()]
		switch {
		case changed("ipv4", "forwarding") && !held4:
			return fmt.Errorf("%s forwards IPv4 for everybody", l.Name)
		case (changed("ipv6", "force_forwarding") || all6) && !held6 && l.Parent == "":
			return fmt.Errorf("%s forwards IPv6 for everybody", l.Name)
		}
	}
	return nil
}

// sameHost: every foreign object is as it was, but for what the record says was
// borrowed, and the settings that all.forwarding of IPv6 writes through to.
func (m *machine) sameHost(host *machine) error {
	for k, was := range host.state {
		is, there := m.state[k]
		if is == was {
			continue
		}
		if !there {
			return fmt.Errorf("%s is lost", was)
		}
		if l, ok := is.(plan.Link); ok {
			_, plugged := m.record["plugged/"+l.Name]
			if _, lent := m.record["master/"+l.Name]; !lent && !plugged {
				return fmt.Errorf("%s became %s", was, is)
			}
			l.Master = was.(plan.Link).Master
			if plugged {
				l.MTU, l.MAC = was.(plan.Link).MTU, was.(plan.Link).MAC
			}
			if plan.Object(l) != was {
				return fmt.Errorf("%s became %s", was, is)
			}
			continue
		}
		s, ok := is.(plan.Sysctl)
		_, lent := m.record[s.Path()]
		_, all := m.record["net/ipv6/conf/all/forwarding"]
		if !ok || !lent && !(all && s.Family == "ipv6" && s.Name == "forwarding") {
			return fmt.Errorf("%s became %s", was, is)
		}
	}
	return nil
}

// TestAnyChangeConverges goes from one spec to another and to nothing.
func TestAnyChangeConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		m := host.clone()
		check := guard(m, host)
		for _, label := range []string{"first ", "second "} {
			if err := m.converge(drawSpec(t, label), check); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.converge(&spec.Spec{}, check); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(host.dump(), m.dump()); diff != "" {
			t.Fatalf("the host is not as it was (-before +after):\n%s", diff)
		}
	})
}

// TestInterruptionIsHealed kills a pass after some of its ops.
func TestInterruptionIsHealed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		whole := host.clone()
		first, second := drawSpec(t, "first "), drawSpec(t, "second ")
		if err := whole.converge(first, nil); err != nil {
			t.Fatal(err)
		}
		killed := whole.clone()
		if err := whole.converge(second, nil); err != nil {
			t.Fatal(err)
		}
		_, ops, _ := killed.look(second)
		stop := rapid.IntRange(0, len(ops)).Draw(t, "stop")
		if _, err := killed.pass(second, stop, nil); err != nil {
			t.Fatal(err)
		}
		if err := killed.converge(second, guard(killed, host)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole.dump(), killed.dump()); diff != "" {
			t.Fatalf("killed after %d of\n%s\nit ends elsewhere (-whole +killed):\n%s", stop, strings.Join(plan.Lines(ops), "\n"), diff)
		}
	})
}

// TestChildrenGoFirst checks the order of the ops by itself.
func TestChildrenGoFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawHost(t)
		if err := m.converge(drawSpec(t, "first "), nil); err != nil {
			t.Fatal(err)
		}
		_, ops, _ := m.look(drawSpec(t, "second "))
		gone := map[string]int{}
		for i, op := range ops {
			if l, ok := op.Object.(plan.Link); ok && op.Verb == plan.Del {
				gone[l.NS+" "+l.Name] = i
			}
		}
		for i, op := range ops {
			ns := op.Object.Key().NS
			at, dies := gone[ns+" "+strings.SplitN(op.Object.Key().ID, " ", 2)[0]]
			l, link := op.Object.(plan.Link)
			if !link && dies && i > at && op.Object.Key().Kind > plan.KindElement {
				t.Fatalf("%s comes after its link is gone", op)
			}
			if at, dies := gone[ns+" "+l.Master]; link && op.Verb == plan.Del && dies && i > at {
				t.Fatalf("port %s goes after its bridge", l.Name)
			}
		}
	})
}

// TestSameInputSameText repeats a decision from copies with their own map order.
func TestSameInputSameText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawHost(t)
		if err := m.converge(drawSpec(t, "first "), nil); err != nil {
			t.Fatal(err)
		}
		second := drawSpec(t, "second ")
		text := func() string {
			copied := m.clone()
			copied.state = plan.State{}
			for _, k := range slices.Collect(maps.Keys(m.state)) {
				copied.state[k] = m.state[k]
			}
			want, ops, conflicts := copied.look(second)
			return want.String() + strings.Join(plan.Lines(ops), "\n") + fmt.Sprint(conflicts, plan.Warnings(second, m.facts()))
		}
		for range 4 {
			if diff := cmp.Diff(text(), text()); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}
