package nft

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// sourceOf opens a connection to a port of a listener and returns from where it
// came.
func sourceOf(t *testing.T, from, to *machine, dst netip.Addr) netip.AddrPort {
	t.Helper()
	var server net.Listener
	err := to.ns.Do(func() (err error) { server, err = net.Listen("tcp", netip.AddrPortFrom(dst, 0).String()); return err })
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	port := server.Addr().(*net.TCPAddr).AddrPort().Port()
	conn, err := from.dialPort("tcp", netip.Addr{}, netip.AddrPortFrom(dst, port), yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	accepted, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	return accepted.RemoteAddr().(*net.TCPAddr).AddrPort()
}

func TestNSNetworksLeaveWithTheirChosenSource(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"a"}}, network{"net1", "nat", []string{"b"}})
	l.host.ip("addr add 203.0.113.60/32 dev eth0", "addr add 203.0.113.61/32 dev eth0", "addr add 2001:db8:1::60/128 dev eth0 preferred_lft 0")
	l.apply(plan.Del, el("masquerade4", "net0", ""), el("masquerade6", "net0", ""))
	l.apply(plan.Add, lead("source", "net0",
		`meta nfproto ipv4 meta l4proto { tcp, udp } counter snat ip to 203.0.113.60-203.0.113.61:20000-20999 fully-random comment "egress/net0"`,
		`meta nfproto ipv4 counter snat ip to 203.0.113.60-203.0.113.61 comment "egress/net0"`,
		`snat ip6 to 2001:db8:1::60`)...)
	outside := l.machines["outside"]
	for range 20 {
		from := sourceOf(t, l.machines["a"], outside, outside.v4)
		if a := from.Addr().String(); a != "203.0.113.60" && a != "203.0.113.61" || from.Port() < 20000 || from.Port() > 20999 {
			t.Fatalf("a leaves from %s", from)
		}
	}
	if from := sourceOf(t, l.machines["a"], outside, outside.v6); from.Addr().String() != "2001:db8:1::60" {
		t.Errorf("a leaves from %s", from)
	}
	if from := sourceOf(t, l.machines["b"], outside, outside.v4); from.Addr().String() != "203.0.113.1" {
		t.Errorf("b leaves from %s", from)
	}
	for _, to := range []netip.Addr{outside.v4, outside.v6} {
		if _, err := l.machines["a"].reach("icmp", to, yes); err != nil {
			t.Errorf("ping of %s: %v", to, err)
		}
	}
	rules, err := l.conn.RuleCounters(t.Context())
	if err != nil || len(rules) != 1 || rules[0].Name != "egress/net0" || rules[0].Packets != 21 {
		t.Errorf("%v, %v", rules, err)
	}
}

// steer is what a router with two uplinks has: tables of routes, rules, rows.
func (l *lab) steer() {
	routes := func(version, address string, i int) {
		out, err := l.host.run(fmt.Sprintf(`rule add pref %d fwmark %[2]d lookup %[2]d
			rule add pref %[3]d from %[4]s1 lookup %[2]d
			route add default via %[4]s2 table %[2]d`, 10001+i, 101+i, 11001+i, address), "ip", version, "-batch", "-")
		if err != nil {
			l.t.Fatal(out, err)
		}
	}
	for i, u := range uplinks {
		routes("-4", u.v4+".", i)
		routes("-6", u.v6+":", i)
	}
	// What is connected comes before the tables of the uplinks.
	for _, version := range []string{"-4", "-6"} {
		if out, err := l.host.run("", "ip", version, "rule", "add", "pref", "9000", "lookup", "main", "suppress_prefixlength", "0"); err != nil {
			l.t.Fatal(out, err)
		}
	}
	l.apply(plan.Add, el("steered", "eth0", ""), el("steered", "eth1", ""), el("steered", "net0", ""), el("steered", "net1", ""),
		el("entered", "eth0", "0x00000065"), el("entered", "eth1", "0x00000066"),
		el("leaves", "net0", "0x00000065"), el("leaves", "net1", "0x00000066"))
}

func TestNSAnswersLeaveByTheUplinkTheirConnectionCameInBy(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"a"}}, network{"net1", "nat", []string{"b"}})
	l.steer()
	far4, far6 := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8:99::7")
	for _, name := range []string{"outside", "other"} {
		l.machines[name].assume(far4, far6)
	}
	a, b := l.machines["a"], l.machines["b"]
	// Each network leaves by its own uplink, to the same address.
	for _, c := range []struct {
		from             *machine
		source4, source6 string
	}{{a, "203.0.113.1", "2001:db8:1::1"}, {b, "198.51.100.1", "2001:db8:2::1"}} {
		for to, source := range map[netip.Addr]string{far4: c.source4, far6: c.source6} {
			if saw, err := c.from.reach("tcp", to, yes); err != nil || saw != source {
				t.Errorf("%s to %s: seen as %q, %v; want %s", c.from.name, to, saw, err, source)
			}
		}
	}
	if _, err := a.reach("tcp", l.gateways["net0"][0], yes); err != nil {
		t.Errorf("a to its gateway: %v", err)
	}
	// From the far address a forward of either uplink leads to a, which leaves by the
	// first.
	l.apply(plan.Add, el("forward4", "tcp . 8080", a.v4.String()+" . 7"), el("forward6", "tcp . 8080", a.v6.String()+" . 7"))
	for name, u := range map[string]int{"outside": 0, "other": 1} {
		for far, to := range map[netip.Addr]string{far4: uplinks[u].v4 + ".1", far6: uplinks[u].v6 + ":1"} {
			conn, err := l.machines[name].dialPort("tcp", far, netip.AddrPortFrom(netip.MustParseAddr(to), 8080), yes)
			if err != nil {
				t.Errorf("%s as %s by a forward of %s: %v", name, far, to, err)
				continue
			}
			exchange(t, conn)
			conn.Close()
		}
	}
	// The router itself answers by the uplink that was asked.
	for name, u := range map[string]int{"outside": 0, "other": 1} {
		conn, err := l.machines[name].dial("tcp", far4, netip.MustParseAddr(uplinks[u].v4+".1"), yes)
		if err != nil {
			t.Errorf("%s to the router: %v", name, err)
			continue
		}
		exchange(t, conn)
		conn.Close()
	}
}

// A chain of rules that nothing leads to costs nothing: adding one of ten thousand
// forwards changes no rule.
func TestNSForwardsAreNoRules(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t)
	count := func() int {
		tab, err := c.table(unix.NFPROTO_INET)
		if err != nil {
			t.Fatal(err)
		}
		return len(tab.rules) + len(tab.chains)
	}
	before := count()
	apply(t, c, plan.Add, manyForwards(10_000)...)
	if after := count(); after != before {
		t.Errorf("%d rules and chains with 10,000 forwards, %d without", after, before)
	}
	sameState(t, c, manyForwards(10_000)...)
	first := plan.Op{Verb: plan.Del, Object: manyForwards(1)[0]}
	if errs := c.Apply(t.Context(), []plan.Op{first}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	sameState(t, c, manyForwards(10_000)[1:]...)
}

// manyForwards are single ports and ranges, half and half.
func manyForwards(n int) []plan.Object {
	var objs []plan.Object
	for i := range n / 2 {
		at := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		objs = append(objs, el("forward4", fmt.Sprintf("tcp . %d", i+1), "10.0.0.5 . 80"),
			el("forward_range_at4", fmt.Sprintf("%s . udp . %d-%d", at, i+1, i+1000), "10.0.0.6"))
	}
	if n == 1 {
		objs = append(objs, el("forward4", "tcp . 1", "10.0.0.5 . 80"))
	}
	return objs
}

func TestNSRangesGiveWayToOthersAtOnce(t *testing.T) {
	t.Parallel()
	one, other := el("forward_range4", "tcp . 2000-2999", "10.0.0.5"), el("forward_range4", "tcp . 2500-3999", "10.0.0.6")
	c, _ := loaded(t, one)
	errs := c.Apply(t.Context(), adds(other))
	if errs[0] == nil {
		t.Error("overlapping ranges stand side by side")
	}
	sameState(t, c, one)
	for _, err := range c.Apply(t.Context(), []plan.Op{{Verb: plan.Add, Object: other}, {Verb: plan.Del, Object: one}}) {
		if err != nil {
			t.Error(err)
		}
	}
	sameState(t, c, other)
	moved := el("forward_range4", "tcp . 2500-3999", "10.0.0.7")
	apply(t, c, plan.Set, moved)
	sameState(t, c, moved)
}
