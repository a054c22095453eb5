package verify

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// red is a router r1 with one network red, which leaves as it is told.
func red(egress spec.Egress, set func(i *spec.Interface)) (map[string]*spec.Network, map[string]*spec.Router) {
	i := spec.Interface{Network: "red", Address: "10.3.0.1/24", Egress: egress}
	if set != nil {
		set(&i)
	}
	return map[string]*spec.Network{"red": behind("red0")}, map[string]*spec.Router{"r1": {Uplink: uplink(), Interfaces: []spec.Interface{i}}}
}

// pair is a router with two networks.
func pair(a, b spec.Egress) (map[string]*spec.Network, map[string]*spec.Router) {
	return map[string]*spec.Network{"red": behind("red0"), "blue": behind("blue0")}, map[string]*spec.Router{"r1": {Uplink: uplink(), Interfaces: []spec.Interface{
		{Network: "red", Address: "10.3.0.1/24", Egress: a}, {Network: "blue", Address: "10.4.0.1/24", Egress: b},
	}}}
}

func snat(i *spec.Interface) {
	i.SNAT = &spec.SNAT{Address: spec.AddrRange{From: netip.MustParseAddr("192.0.2.66"), To: netip.MustParseAddr("192.0.2.66")}, Ports: spec.PortRange{From: 5000, To: 5999}}
}

func few4(i *spec.Interface) {
	i.Allow = []spec.Traffic{{Protocol: spec.TCP, Ports: "443, 8443"}, {Protocol: spec.UDP, Ports: "53", To: "192.0.2.3"}}
}

func TestRoutersKeepTheirPromises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		egress spec.Egress
		set    func(i *spec.Interface)
		want   string // what is promised about leaving
	}{
		{"none", spec.EgressNone, nil, `
red: guest → outside 192.0.2.1 (icmp): does not leave: nothing left
red: guest → outside 192.0.2.1 (udp): does not leave: nothing left`},
		{"route", spec.EgressRoute, nil, `
red: guest → outside 192.0.2.1 (icmp): leaves as X: left as X
red: guest → outside 192.0.2.1 (udp): leaves as X: left as X`},
		{"masquerade", spec.EgressMasquerade, func(i *spec.Interface) { i.KillSwitch = true }, `
red: guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.10: left as 192.0.2.10
red: guest → outside 192.0.2.1 (udp): leaves as 192.0.2.10: left as 192.0.2.10
red: guest → outside while the uplink of router r1 is down: does not leave: not checked: that would take the uplink down`},
		{"snat", spec.EgressSNAT, snat, `
red: guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.66 from port 5000-5999: left as 192.0.2.66
red: guest → outside 192.0.2.1 (udp): leaves as 192.0.2.66 from port 5000-5999: left as 192.0.2.66`},
		{"allow", spec.EgressMasquerade, few4, `
red: guest → outside 192.0.2.1 (icmp): does not leave: nothing left
red: guest → outside 192.0.2.1 (udp): does not leave: nothing left
red: guest → outside 192.0.2.1 (tcp 443): leaves as 192.0.2.10: left as 192.0.2.10
red: guest → outside 192.0.2.1 (tcp): does not leave: nothing left
red: guest → outside 192.0.2.3 (udp 53): leaves as 192.0.2.10: left as 192.0.2.10
red: guest → outside 192.0.2.3 (tcp): does not leave: nothing left`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newRouterLab(t, first(red(c.egress, c.set)), second(red(c.egress, c.set)))
			want := strings.TrimSpace(c.want) + `
red: guest → gateway 10.3.0.1 (ping): answered: answered
red: guest ↔ guest X (icmp): answered: answered
red: guest ↔ guest X (tcp): answered: answered
red: guest ↔ guest X (icmp): answered: answered
red: guest ↔ guest X (tcp): answered: answered
red: guest → host 192.0.2.2 (arp): no answer: no answer
red: guest → host 192.0.2.2 (icmp): no answer: no answer
red: guest → host 2001:db8:2::2 (nd): no answer: no answer
red: guest → host 2001:db8:2::2 (icmp): no answer: no answer
red: guest → outside 192.0.2.1 past the router (icmp): does not leave: nothing left
red: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): does not leave: nothing left
red: guest → outside 2001:db8:2::1 (icmp): does not leave: nothing left
red: guest → outside 2001:db8:2::1 (udp): does not leave: nothing left
red: guest as 2001:db8:77::77 → outside 2001:db8:2::1 (icmp): does not leave: nothing left`
			same(t, lines(verify(t, l.o)), strings.Split(want, "\n"))
		})
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }

func TestNetworksOfRoutersAreTriedAgainstEachOther(t *testing.T) {
	t.Parallel()
	nets, routers := pair(spec.EgressMasquerade, spec.EgressRoute)
	nets["lab"] = network(spec.NAT, "lab0", "10.1.0.1/24")
	nets["green"] = behind("green0")
	routers["r2"] = &spec.Router{Uplink: uplink(), Interfaces: []spec.Interface{{Network: "green", Address: "10.3.0.1/24", Egress: spec.EgressMasquerade}}}
	routers["r2"].Uplink.Address, routers["r2"].Uplink.Gateway = "192.0.2.11/24", "192.0.2.1"
	l := newRouterLab(t, nets, routers)
	checks := verify(t, l.o)
	same(t, broken(checks), nil)
	var got []string
	for _, line := range lines(checks) {
		if strings.Contains(line, " of ") && strings.Contains(line, "icmp") && !strings.Contains(line, "(udp)") {
			got = append(got, line)
		}
	}
	same(t, got, strings.Split(strings.TrimSpace(`
blue: guest as X of green → outside 192.0.2.1 (icmp): does not leave: nothing left
blue: guest → guest X of green (icmp): does not arrive: nothing arrived
blue: guest → guest X of lab (icmp): does not arrive: nothing arrived
blue: guest → gateway 10.3.0.1 of red (icmp): no answer: no answer
blue: guest → guest X of red (icmp): does not arrive: nothing arrived
green: guest as X of blue → outside 192.0.2.1 (icmp): does not leave: nothing left
green: guest → guest X of blue (icmp): arrives as 192.0.2.11: not checked: the way leads through the outside
green: guest → guest X of lab (icmp): does not arrive: nothing arrived
green: guest → guest of red (icmp): does not arrive: not checked: both have 10.3.0.0/24
lab: guest as X of blue → outside 192.0.2.1 (icmp): does not leave: nothing left
lab: guest → guest X of blue (icmp): arrives as 192.0.2.2: not checked: the way leads through the outside
lab: guest → guest X of green (icmp): does not arrive: nothing arrived
lab: guest → guest X of red (icmp): does not arrive: nothing arrived
red: guest as X of blue → outside 192.0.2.1 (icmp): does not leave: nothing left
red: guest → gateway 10.4.0.1 of blue (icmp): no answer: no answer
red: guest → guest X of blue (icmp): does not arrive: nothing arrived
red: guest → guest of green (icmp): does not arrive: not checked: both have 10.3.0.0/24
red: guest → guest X of lab (icmp): does not arrive: nothing arrived`), "\n"))
}

// TestABrokenRouterIsReported breaks routers one way at a time.
func TestABrokenRouterIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		nets   map[string]*spec.Network
		router map[string]*spec.Router
		spoil  func(l *routerLab)
		want   []string
	}{
		{"masquerading is gone", first(red(spec.EgressMasquerade, nil)), second(red(spec.EgressMasquerade, nil)), func(l *routerLab) {
			l.in("r1", "nft flush chain inet r n")
		}, []string{
			"red: guest → outside 192.0.2.1 (icmp): left as X",
			"red: guest → outside 192.0.2.1 (udp): left as X",
		}},
		{"none leaves", first(red(spec.EgressNone, nil)), second(red(spec.EgressNone, nil)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 oifname uplink accept")
		}, []string{
			"red: guest → outside 192.0.2.1 (icmp): left as X",
			"red: guest → outside 192.0.2.1 (udp): left as X",
		}},
		{"route is translated", first(red(spec.EgressRoute, nil)), second(red(spec.EgressRoute, nil)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r n oifname uplink masquerade")
		}, []string{
			"red: guest → outside 192.0.2.1 (icmp): left as 192.0.2.10",
			"red: guest → outside 192.0.2.1 (udp): left as 192.0.2.10",
		}},
		{"another source than the chosen one", first(red(spec.EgressSNAT, snat)), second(red(spec.EgressSNAT, snat)), func(l *routerLab) {
			l.in("r1", "nft insert rule inet r n oifname uplink snat ip to 192.0.2.10")
		}, []string{
			"red: guest → outside 192.0.2.1 (icmp): left as 192.0.2.10",
			"red: guest → outside 192.0.2.1 (udp): left as 192.0.2.10 from port N",
		}},
		{"the allow list lets all through", first(red(spec.EgressMasquerade, few4)), second(red(spec.EgressMasquerade, few4)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 oifname uplink accept")
		}, []string{
			"red: guest → outside 192.0.2.1 (icmp): left as 192.0.2.10",
			"red: guest → outside 192.0.2.1 (udp): left as 192.0.2.10",
			"red: guest → outside 192.0.2.1 (tcp): left as 192.0.2.10",
			"red: guest → outside 192.0.2.3 (tcp): left as 192.0.2.10",
		}},
		{"the allow list lets nothing through", first(red(spec.EgressMasquerade, few4)), second(red(spec.EgressMasquerade, few4)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 reject with icmpx admin-prohibited")
		}, []string{
			"red: guest → outside 192.0.2.1 (tcp 443): nothing left, 10.3.0.1 says admin-prohibited",
			"red: guest → outside 192.0.2.3 (udp 53): nothing left, 10.3.0.1 says admin-prohibited",
		}},
		{"sources are not looked at", first(red(spec.EgressMasquerade, nil)), second(red(spec.EgressMasquerade, nil)), func(l *routerLab) {
			l.in("r1", "nft insert rule inet r f iifname eth0 oifname uplink accept")
		}, []string{
			"red: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 192.0.2.10",
		}},
		{"the gateway's address is gone", first(red(spec.EgressNone, nil)), second(red(spec.EgressNone, nil)), func(l *routerLab) {
			l.in("r1", "ip addr flush dev eth0")
		}, []string{
			"red: guest → gateway 10.3.0.1 (ping): no answer",
		}},
		{"the host routes for guests of a router", first(red(spec.EgressMasquerade, nil)), second(red(spec.EgressMasquerade, nil)), func(l *routerLab) {
			l.run("nft delete element inet kvmnet from { red0 }")
			l.run("nft delete element inet kvmnet to { red0 }")
			l.sysctl("net/ipv4/conf/red0/forwarding", "1")
			l.sysctl("net/ipv4/conf/eth0/forwarding", "1")
		}, []string{
			"red: guest → outside 192.0.2.1 past the router (icmp): left as X",
		}},
		{"the networks of a router reach each other", first(pair(spec.EgressMasquerade, spec.EgressNone)), second(pair(spec.EgressMasquerade, spec.EgressNone)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 oifname eth1 accept")
			l.in("r1", "nft insert rule inet r own accept")
		}, []string{
			"red: guest → guest X of blue (icmp): arrived as X",
			"red: guest → gateway 10.4.0.1 of blue (icmp): answered",
			"blue: guest → gateway 10.3.0.1 of red (icmp): answered",
		}},
		{"routed networks do not reach each other", first(pair(spec.EgressRoute, spec.EgressRoute)), second(pair(spec.EgressRoute, spec.EgressRoute)), func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 oifname eth1 drop")
		}, []string{
			"red: guest → guest X of blue (icmp): nothing arrived",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newRouterLab(t, c.nets, c.router)
			same(t, broken(verify(t, l.o)), nil)
			c.spoil(l)
			got := broken(verify(t, l.o))
			for i := range got {
				if at := strings.Index(got[i], " from port "); at > 0 {
					got[i] = got[i][:at] + " from port N"
				}
			}
			same(t, got, c.want)
		})
	}
}

func TestARouterWithoutItsNamespaceIsReported(t *testing.T) {
	t.Parallel()
	l := newRouterLab(t, first(red(spec.EgressMasquerade, nil)), second(red(spec.EgressMasquerade, nil)))
	l.o.Namespace = func(string) (*netns.NS, error) { return nil, errors.New("no such file") }
	checks := verify(t, l.o)
	same(t, broken(checks), []string{"red: guest → router r1 of 10.3.0.0/24: there is no namespace of router r1: no such file"})
	if want := "red: guest → outside (icmp): leaves as an address of the host: not checked: there is no namespace of router r1: no such file"; !slices.Contains(lines(checks), want) {
		t.Errorf("%q is missing in %q", want, lines(checks))
	}
}

func TestRoutersAreProvedForBothFamilies(t *testing.T) {
	t.Parallel()
	both := func(i *spec.Interface) { i.Address = "10.3.0.1/24, fd00:3::1/64" }
	l := newRouterLab(t, first(red(spec.EgressMasquerade, both)), second(red(spec.EgressMasquerade, both)))
	want := []string{
		"red: guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.10: left as 192.0.2.10",
		"red: guest → outside 192.0.2.1 (udp): leaves as 192.0.2.10: left as 192.0.2.10",
		"red: guest → outside 2001:db8:2::1 (icmp): leaves as 2001:db8:2::10: left as 2001:db8:2::10",
		"red: guest → outside 2001:db8:2::1 (udp): leaves as 2001:db8:2::10: left as 2001:db8:2::10",
		"red: guest → outside 192.0.2.1 past the router (icmp): does not leave: nothing left",
		"red: guest → outside 2001:db8:2::1 past the router (icmp): does not leave: nothing left",
	}
	checks := verify(t, l.o)
	same(t, broken(checks), nil)
	same(t, leaving(checks), want)
	l.in("r1", "nft flush chain inet r n")
	same(t, broken(verify(t, l.o)), []string{
		"red: guest → outside 192.0.2.1 (icmp): left as X",
		"red: guest → outside 192.0.2.1 (udp): left as X",
		"red: guest → outside 2001:db8:2::1 (icmp): left as X",
		"red: guest → outside 2001:db8:2::1 (udp): left as X",
	})
}

func leaving(checks []Check) (out []string) {
	for _, line := range lines(checks) {
		if strings.Contains(line, "guest → outside") {
			out = append(out, line)
		}
	}
	return out
}

// TestARouterMayLeaveByANetwork has a router that is a guest of another network.
func TestARouterMayLeaveByANetwork(t *testing.T) {
	t.Parallel()
	nets, routers := red(spec.EgressMasquerade, nil)
	nets["lab"] = network(spec.NAT, "lab0", "10.1.0.1/24")
	routers["r1"].Uplink = &spec.Uplink{Network: "lab", Address: "10.1.0.2/24", Gateway: "10.1.0.1"}
	l := newRouterLab(t, nets, routers)
	l.o.Outside = "192.0.2.3"
	l.o.Held = map[netip.Addr]bool{netip.MustParseAddr("10.1.0.2"): true}
	checks := verify(t, l.o)
	same(t, broken(checks), nil)
	got := leaving(checks)
	for _, c := range checks {
		if strings.Contains(c.Promise, "of lab (icmp)") || strings.Contains(c.Promise, "of red (icmp)") {
			got = append(got, lines([]Check{c})...)
		}
	}
	same(t, got, []string{
		"lab: guest → outside 192.0.2.3 (icmp): leaves as 192.0.2.2: left as 192.0.2.2",
		"lab: guest → outside 192.0.2.3 (udp): leaves as 192.0.2.2: left as 192.0.2.2",
		"lab: guest → guest X of red (icmp): does not arrive: nothing arrived",
		"red: guest → outside 192.0.2.3 (icmp): leaves as X: left as X",
		"red: guest → outside 192.0.2.3 (udp): leaves as X: left as X",
		"red: guest → outside 192.0.2.3 past the router (icmp): does not leave: nothing left",
		"red: guest → outside 2001:db8:2::1 (icmp): does not leave: nothing left",
		"red: guest → outside 2001:db8:2::1 (udp): does not leave: nothing left",
		"red: guest → guest X of lab (icmp): arrives as X: not checked: the way leads through the outside",
	})
}

// TestAnInterfaceLeavesByItsUplink has a router with two uplinks on one LAN, each
// with a table of its own.
func TestAnInterfaceLeavesByItsUplink(t *testing.T) {
	t.Parallel()
	nets, routers := red(spec.EgressMasquerade, func(i *spec.Interface) { i.Uplink = "second" })
	routers["r1"].Uplinks = map[string]*spec.Uplink{"second": {NIC: "eth8", Address: "192.0.2.11/24"}}
	l := newRouterLab(t, nets, routers)
	l.in("r1", "ip route add 192.0.2.0/24 dev second table 102")
	l.in("r1", "ip route add default via 192.0.2.3 dev second table 102")
	l.in("r1", "nft insert rule inet r f iifname eth0 oifname second accept")
	l.in("r1", "nft insert rule inet r f iifname eth0 fib saddr . iif oif missing drop")
	l.in("r1", "nft add rule inet r n oifname second masquerade")
	want := []string{
		"red: guest → outside 192.0.2.3 (icmp): left as 192.0.2.10 by uplink",
		"red: guest → outside 192.0.2.3 (udp): left as 192.0.2.10 by uplink",
	}
	l.in("r1", "ip route del 192.0.2.0/24 dev second")
	same(t, broken(verify(t, l.o)), want)
	l.in("r1", "ip rule add iif eth0 table 102")
	l.in("r1", "ip route add 10.3.0.0/24 dev eth0 table 102")
	l.in("r1", "ip rule add from 192.0.2.11 table 102")
	same(t, broken(verify(t, l.o)), nil)
}

// TestNothingIsLeftInRouters does not run in parallel: it counts the process's
// sockets and namespaces.
func TestNothingIsLeftInRouters(t *testing.T) {
	nets, routers := pair(spec.EgressMasquerade, spec.EgressRoute)
	l := newRouterLab(t, nets, routers)
	nstest.Unchanged(t, l.routers["r1"].NS())
	before := openSockets(t)
	verify(t, l.o)
	nstest.Eventually(t, 5*time.Second, func() error {
		if n := openSockets(t); n > before {
			return fmt.Errorf("%d sockets and namespaces, %d before", n, before)
		}
		return nil
	})
	if left := nstest.Run(t, l.routers["r1"].NS(), "ip", "neigh", "show", "dev", "eth0"); strings.Contains(left, "10.3.0.") {
		t.Errorf("the router still knows %s", left)
	}
}

func openSockets(t *testing.T) (n int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	try(t, err)
	for _, f := range list {
		what, _ := os.Readlink("/proc/self/fd/" + f.Name()) // the directory itself is closed by now
		if strings.HasPrefix(what, "socket:") || strings.HasPrefix(what, "net:") {
			n++
		}
	}
	return n
}
