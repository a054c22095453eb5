package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// TestNothingIsLeftBehind does not run in parallel: it counts descriptors and
// goroutines of the process.
func TestNothingIsLeftBehind(t *testing.T) {
	running := everyMode()
	l := newLab(t, map[string]*spec.Network{"lab": running["lab"], "quiet": running["quiet"], "web": running["web"]})
	for name, n := range l.running { // a bridge without ports has no carrier
		l.Guest(t, name, n.Bridge.Name)
	}
	verify(t, l.options()) // what the process keeps from the first time on, it keeps
	nstest.Unchanged(t, l.Machine.NS())
	files, routines := openFiles(t), runtime.NumGoroutine()
	first := func(cancel context.CancelFunc) (func(Check), func()) {
		return func(Check) { cancel() }, func() {}
	}
	after := func(d time.Duration) func(context.CancelFunc) (func(Check), func()) {
		return func(cancel context.CancelFunc) (func(Check), func()) {
			timer := time.AfterFunc(d, cancel)
			return func(Check) {}, func() { timer.Stop() }
		}
	}
	for _, c := range []struct {
		name string
		when func(cancel context.CancelFunc) (report func(Check), stop func())
		want error
	}{
		{"to the end", after(time.Hour), nil},
		{"cancelled beforehand", after(0), context.Canceled},
		{"cancelled while hosts are plugged in", after(15 * time.Millisecond), context.Canceled},
		{"cancelled while addresses are asked for", after(150 * time.Millisecond), context.Canceled},
		{"cancelled while packets are on their way", after(450 * time.Millisecond), context.Canceled},
		{"cancelled by the first check", first, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		report, stop := c.when(cancel)
		start := time.Now()
		if err := Run(ctx, l.options(), report); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		t.Logf("%s: %s", c.name, time.Since(start))
		stop()
		cancel()
		nstest.Eventually(t, 5*time.Second, func() error {
			if f, r := openFiles(t), runtime.NumGoroutine(); f > files || r > routines {
				stacks := make([]byte, 1<<16)
				return fmt.Errorf("%s: %d descriptors, %d before; %d goroutines, %d before\n%s", c.name, f, files, r, routines, stacks[:runtime.Stack(stacks, true)])
			}
			return nil
		})
		if links := nstest.Run(t, l.Machine.NS(), "ip", "-o", "link"); strings.Contains(links, "kvt") {
			t.Errorf("%s: left behind\n%s", c.name, links)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	try(t, err)
	return len(list)
}

func TestEveryModeKeepsItsPromisesInOrder(t *testing.T) {
	t.Parallel()
	l := newLab(t, everyMode())
	start := time.Now()
	checks := verify(t, l.options())
	t.Logf("%d checks of %d networks in %s", len(checks), len(l.running), time.Since(start))
	same(t, broken(checks), nil)
	var names []string
	for _, c := range checks {
		if strings.HasPrefix(c.Seen, "not checked") {
			t.Errorf("%s: %s: %s", c.Network, c.Promise, c.Seen)
		}
		names = append(names, c.Network)
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(l.running) {
		t.Errorf("networks are not in order: %q", slices.Compact(names))
	}
	again := lines(verify(t, l.options("web", "lab", "web", "quiet")))
	var those []string
	for _, line := range lines(checks) {
		if name, _, _ := strings.Cut(line, ":"); name == "lab" || name == "quiet" || name == "web" {
			those = append(those, line)
		}
	}
	if !slices.Equal(promisesOf(again), promisesOf(those)) {
		t.Errorf("a second run reports\n\t%s\nand not\n\t%s", strings.Join(again, "\n\t"), strings.Join(those, "\n\t"))
	}
}

// promisesOf keeps the part of lines that does not depend on who answers first.
func promisesOf(lines []string) []string {
	var out []string
	for _, l := range lines {
		f := strings.Split(l, ": ")
		out = append(out, strings.Join(f[:3], ": "))
	}
	return out
}

func TestWhatIsReportedOfOneNetwork(t *testing.T) {
	t.Parallel()
	all := everyMode()
	l := newLab(t, map[string]*spec.Network{"lab": all["lab"], "dmz": network(spec.Route, "dmz0", "10.2.0.1/24"), "quiet": all["quiet"]})
	l.run("nft delete element inet kvmnet masquerade6 { lab0 }")
	refused := ", 10.1.0.1 says admin-prohibited" // the kernel may leave it out (icmp_ratelimit)
	got := strings.ReplaceAll(strings.Join(lines(verify(t, l.options("lab"))), "\n"), refused, "")
	got = strings.ReplaceAll(got, ", 10.2.0.1 says admin-prohibited", "")
	want := strings.TrimSpace(`
lab: guest ↔ guest X (icmp): answered: answered
lab: guest ↔ guest X (tcp): answered: answered
lab: guest ↔ guest X (icmp): answered: answered
lab: guest ↔ guest X (tcp): answered: answered
lab: guest → gateway 10.1.0.1 (ping): answered: answered
lab: guest → gateway fd00:1::1 (ping): answered: answered
lab: guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2: left as 192.0.2.2
lab: guest → outside 192.0.2.1 (udp): leaves as 192.0.2.2: left as 192.0.2.2
lab: guest → outside 2001:db8:2::1 (icmp): leaves as 2001:db8:2::2: left as X
lab: guest → outside 2001:db8:2::1 (udp): leaves as 2001:db8:2::2: left as X
lab: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): does not leave: nothing left
lab: guest as X of dmz → outside 192.0.2.1 (icmp): does not leave: nothing left
lab: guest as 2001:db8:77::77 → outside 2001:db8:2::1 (icmp): does not leave: nothing left
lab: guest → guest X of dmz (icmp): does not arrive: nothing arrived
lab: guest → gateway 10.2.0.1 of dmz (icmp): no answer: no answer
lab: guest → router advertisement: fd00:1::/64, router: fd00:1::/64, router
lab: guest → name of the gateway by DNS 10.1.0.1 (udp): an answer of its own: an answer of its own
lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): an answer of its own: an answer of its own
lab: guest → name of the gateway by DNS fd00:1::1 (udp): an answer of its own: an answer of its own
lab: guest → name of the gateway by DNS fd00:1::1 (tcp): an answer of its own: an answer of its own
lab: guest → names by DNS 10.2.0.1 of dmz (udp): no answer: no answer`)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAnswersFromOutsideAreToldToo(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24")})
	nstest.Eventually(t, 30*time.Second, func() error {
		answered := 0
		for _, c := range verify(t, l.options()) {
			if strings.HasPrefix(c.Promise, "guest → outside") && c.Seen == "left as 192.0.2.2, answered" {
				answered++
			}
		}
		if answered != 2 {
			return fmt.Errorf("%d answers are told, want one by icmp and one by udp", answered)
		}
		return nil
	})
}

func TestManyNetworksAreTriedAgainstEightOthers(t *testing.T) {
	t.Parallel()
	running := map[string]*spec.Network{}
	for _, name := range strings.Split("abcdefghijkl", "") {
		running[name] = network(spec.Route, name+"0", "10."+string('0'+(name[0]-'a')%10)+"."+string('0'+(name[0]-'a')/10)+".1/24")
	}
	l := newLab(t, running)
	start := time.Now()
	checks := verify(t, l.options())
	t.Logf("%d checks of %d networks in %s", len(checks), len(running), time.Since(start))
	same(t, broken(checks), nil)
	arrived := map[string]int{}
	for _, c := range checks {
		if strings.HasPrefix(c.Seen, "arrived as") {
			arrived[c.Network]++
		}
	}
	for name := range running {
		if arrived[name] != reach {
			t.Errorf("%s was tried against %d networks, want %d", name, arrived[name], reach)
		}
	}
}

func TestOutsideIsWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	const fe80 = "fe80::5054:ff:fe00:1"
	nat := network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64")
	pinned := func(uplink string) *spec.Network {
		n := network(spec.NAT, "lab0", "10.1.0.1/24")
		n.Uplink = uplink
		return n
	}
	own := network(spec.NAT, "lab0", "fd00:1::1/64")
	no := false
	own.NAT = &spec.NATSettings{IPv6: &no}
	for _, c := range []struct {
		name string
		n    *spec.Network
		set  func(l *lab, o *Options)
		want []string // promises to the outside by ICMP
	}{
		{"an address given", nat, func(l *lab, o *Options) { o.Outside = "192.0.2.3" }, []string{
			"guest → outside 192.0.2.3 (icmp): leaves as 192.0.2.2: left as 192.0.2.2",
			"guest → outside 2001:db8:2::1 (icmp): leaves as 2001:db8:2::2: left as 2001:db8:2::2",
		}},
		{"an address behind the gateway", nat, func(l *lab, o *Options) { o.Outside = "2001:db8:ffff::1" }, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2: left as 192.0.2.2",
			"guest → outside 2001:db8:ffff::1 (icmp): leaves as 2001:db8:2::2: left as 2001:db8:2::2",
		}},
		{"a gateway with a link-local address", nat, func(l *lab, o *Options) {
			try(t, l.Outside.AddAddress("eth0", netip.MustParsePrefix(fe80+"/64")))
			l.run("ip -6 route replace default via " + fe80 + " dev eth0")
			try(t, l.Outside.AddAddress("lo", netip.PrefixFrom(documentation[true], 128)))
		}, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2: left as 192.0.2.2",
			"guest → outside 2001:db8:ffff::fe (icmp): leaves as 2001:db8:2::2: left as 2001:db8:2::2",
		}},
		{"two addresses on the uplink", nat, func(l *lab, o *Options) {
			l.run("ip addr add 192.0.2.66/24 dev eth0")
			l.run("ip -6 route del default")
		}, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2 or 192.0.2.66: left as 192.0.2.2",
			"guest → outside (icmp): leaves as an address of the host: not checked: no uplink (IPv6 default route)",
		}},
		{"silent", nat, func(l *lab, o *Options) {
			try(t, l.Outside.Sysctl("net/ipv4/icmp_echo_ignore_all", "1"))
			try(t, l.Outside.Sysctl("net/ipv6/icmp/echo_ignore_all", "1"))
		}, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2: left as 192.0.2.2",
			"guest → outside 2001:db8:2::1 (icmp): leaves as 2001:db8:2::2: left as 2001:db8:2::2",
		}},
		{"dead", nat, func(l *lab, o *Options) { try(t, l.Outside.Down("eth0")) }, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2: not checked: the host itself does not reach 192.0.2.1: host unreachable",
			"guest → outside 2001:db8:2::1 (icmp): leaves as 2001:db8:2::2: not checked: the host itself does not reach 2001:db8:2::1: host unreachable",
		}},
		{"not there", nat, func(l *lab, o *Options) { o.Uplinks4, o.Uplinks6 = nil, nil }, []string{
			"guest → outside (icmp): leaves as an address of the host: not checked: no uplink (IPv4 default route)",
			"guest → outside (icmp): leaves as an address of the host: not checked: no uplink (IPv6 default route)",
		}},
		{"IPv6 without NAT", own, func(l *lab, o *Options) {}, []string{
			"guest → outside 2001:db8:2::1 (icmp): leaves as X: left as X",
		}},
		{"the uplink a network is pinned to", pinned("eth0"), func(l *lab, o *Options) {}, []string{
			"guest → outside 192.0.2.1 (icmp): leaves as 192.0.2.2 by eth0: left as 192.0.2.2",
		}},
		{"another uplink than a network is pinned to", pinned("eth1"), func(l *lab, o *Options) { o.Outside = "192.0.2.3" }, []string{
			"guest → outside 192.0.2.3 (icmp): does not leave: nothing left, 10.1.0.1 says admin-prohibited",
		}},
		{"no route by the uplink a network is pinned to", pinned("eth1"), func(l *lab, o *Options) {}, []string{
			"guest → outside (icmp): leaves as an address of the host: not checked: no IPv4 default route by eth1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, map[string]*spec.Network{"lab": c.n})
			o := l.options()
			c.set(l, &o)
			checks := verify(t, o)
			same(t, broken(checks), nil)
			var got []string
			for _, line := range lines(checks) {
				if line = strings.TrimPrefix(line, "lab: "); strings.HasPrefix(line, "guest → outside") && strings.Contains(line, "(icmp)") {
					got = append(got, line)
				}
			}
			same(t, got, c.want)
		})
	}
}

func TestAnyOfSeveralUplinksWillDo(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24")})
	second := nstest.Host(t, "second")
	try(t, second.Plug(testhost.Plug{Outside: l.Machine.NS(), OutsideName: "eth1"}))
	try(t, second.AddAddress("eth0", netip.MustParsePrefix("198.51.100.1/24")))
	try(t, l.Machine.AddAddress("eth1", netip.MustParsePrefix("198.51.100.2/24")))
	// Guests' packets go another way than the host's own, as with several default
	// routes of one metric.
	l.run("ip route add default via 198.51.100.1 table 7")
	l.run("ip rule add iif lab0 table 7")
	l.sysctl("net/ipv4/conf/eth1/forwarding", "1")
	same(t, broken(verify(t, l.options())), nil)
}

func TestAPinnedNetworkThatLeavesByAnotherUplinkIsBroken(t *testing.T) {
	t.Parallel()
	n := network(spec.NAT, "lab0", "10.1.0.1/24")
	n.Uplink = "eth1"
	l := newLab(t, map[string]*spec.Network{"lab": n})
	l.run("nft delete element inet kvmnet pinned { lab0 }")
	o := l.options()
	o.Outside = "192.0.2.3"
	same(t, broken(verify(t, o)), []string{
		"lab: guest → outside 192.0.2.3 (icmp): left as 192.0.2.2",
		"lab: guest → outside 192.0.2.3 (udp): left as 192.0.2.2",
	})
}

func TestOptionsThatProveNothingAreErrors(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24")})
	for _, c := range []struct {
		only    []string
		outside string
		want    string
	}{
		{[]string{"lab", "nil", "nix", "nil"}, "", "verify nil, nix: not running"},
		{nil, "gateway", `read outside address: ParseAddr("gateway"): unable to parse IP`},
		{nil, "192.0.2.2", "verify with 192.0.2.2: it is an address of this host, not outside"},
		{nil, "10.1.0.9", "verify with 10.1.0.9: it is on lab0, a network's bridge, not outside"},
	} {
		o := l.options(c.only...)
		o.Outside = c.outside
		err := Run(t.Context(), o, func(c Check) { t.Errorf("reported %+v", c) })
		if err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

func TestAddressesOfGuestsAreNotTaken(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{
		"few":  network(spec.NAT, "few0", "10.7.0.1/29", "fd00:7::1/125"), // hosts 2 to 6
		"full": network(spec.NAT, "full0", "10.8.0.1/30", "10.9.0.1/29"),
	})
	l.Guest(t, "one", "few0", "10.7.0.2/29", "10.7.0.4/29", "10.7.0.6/29", "fd00:7::2/125", "fd00:7::4/125", "fd00:7::6/125")
	l.Guest(t, "two", "full0", "10.8.0.2/30", "10.9.0.2/29", "10.9.0.3/29", "10.9.0.4/29", "10.9.0.5/29")
	checks := verify(t, l.options())
	same(t, broken(checks), nil)
	var got []string
	for _, c := range checks {
		if strings.Contains(c.Promise, "↔") || strings.HasPrefix(c.Promise, "guest in") {
			got = append(got, c.Network+": "+c.Promise+": "+c.Seen)
		}
	}
	either := strings.NewReplacer("10.7.0.3 ", "10.7.0.3/5 ", "10.7.0.5 ", "10.7.0.3/5 ", "fd00:7::3 ", "fd00:7::3/5 ", "fd00:7::5 ", "fd00:7::3/5 ")
	for i, line := range got { // either of the two free ones
		got[i] = either.Replace(line)
	}
	same(t, got, []string{
		"few: guest ↔ guest 10.7.0.3/5 (icmp): answered",
		"few: guest ↔ guest 10.7.0.3/5 (tcp): answered",
		"few: guest ↔ guest fd00:7::3/5 (icmp): answered",
		"few: guest ↔ guest fd00:7::3/5 (tcp): answered",
		"full: guest in 10.8.0.0/30: not checked: no address is free",
		"full: guest ↔ guest (icmp): not checked: no second address is free in 10.9.0.0/29",
		"full: guest ↔ guest (tcp): not checked: no second address is free in 10.9.0.0/29",
	})
}

func TestSpanningTreesAreWaitedFor(t *testing.T) {
	t.Parallel()
	n := network(spec.NAT, "lab0", "10.1.0.1/24")
	n.Bridge.STP, n.Bridge.ForwardDelay = true, 2
	other := network(spec.Route, "dmz0", "10.2.0.1/24")
	other.Bridge.STP, other.Bridge.ForwardDelay = true, 2
	l := newLab(t, map[string]*spec.Network{"lab": n, "dmz": other})
	same(t, broken(verify(t, l.options("lab"))), nil)
}

func TestANetworkWhoseBridgeIsGoneKeepsOthersFromBeingTried(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24"), "dmz": network(spec.Route, "dmz0", "10.2.0.1/24")})
	l.run("ip link del dmz0")
	checks := verify(t, l.options("lab"))
	same(t, broken(checks), nil)
	if want := "lab: guest → guest of dmz (icmp): does not arrive: not checked: there is no bridge dmz0"; !slices.Contains(lines(checks), want) {
		t.Errorf("%q is missing in %q", want, lines(checks))
	}
}

// lan is a machine with a host bridge br0 that joins it to a neighbour.
func lan(t *testing.T) (machine, neighbour *testhost.Host) {
	t.Helper()
	machine, neighbour = nstest.Host(t, "machine"), nstest.Host(t, "neighbour")
	try(t, machine.Bridge("br0"))
	try(t, machine.AddAddress("br0", netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8:2::2/64")))
	nstest.Join(t, neighbour, machine, "br0", netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8:2::1/64"))
	try(t, machine.Gateways(nstest.Outside4, nstest.Outside6))
	return machine, neighbour
}

func TestGuestsOfABridgeNetworkAreHostsOfTheLAN(t *testing.T) {
	t.Parallel()
	machine, _ := lan(t)
	o := Options{NS: machine.NS(), Running: map[string]*spec.Network{"lan": network(spec.Bridge, "br0")}, Uplinks4: []string{"br0"}, Uplinks6: []string{"br0"}}
	try(t, machine.Sysctl("net/ipv6/conf/br0/accept_dad", "0"))
	bridge := func() string {
		link, err := machine.Netlink().LinkByName("br0")
		try(t, err)
		return link.Attrs().HardwareAddr.String() + " " + strconv.Itoa(link.Attrs().MTU)
	}
	before := bridge()
	var got []string
	err := Run(t.Context(), o, func(c Check) {
		if during := bridge(); during != before {
			t.Errorf("%s: the bridge changed from %s to %s", c.Promise, before, during)
		}
		got = append(got, lines([]Check{c})...)
	})
	try(t, err)
	want := []string{
		"lan: guest ↔ guest X (icmp): answered: answered",
		"lan: guest ↔ guest X (tcp): answered: answered",
		"lan: guest ↔ guest X (icmp): answered: answered",
		"lan: guest ↔ guest X (tcp): answered: answered",
		"lan: guest → gateway 192.0.2.1 (arp): answered: answered from MAC",
		"lan: guest → gateway 2001:db8:2::1 (nd): answered: answered from MAC",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestALANWhoseGatewayIsSilentOrUnknown(t *testing.T) {
	t.Parallel()
	machine, neighbour := lan(t)
	o := Options{NS: machine.NS(), Running: map[string]*spec.Network{"lan": network(spec.Bridge, "br0")}, Uplinks4: []string{"br0"}}
	try(t, neighbour.DelAddress("eth0", netip.MustParsePrefix("192.0.2.1/24")))
	try(t, machine.DelRoute(netip.MustParsePrefix("::/0"), nstest.Outside6))
	checks := verify(t, o)
	same(t, broken(checks), []string{"lan: guest → gateway 192.0.2.1 (arp): no answer"})
	if last := lines(checks)[len(checks)-1]; last != "lan: guest → gateway of the LAN (nd): answered: not checked: the host has no gateway by br0" {
		t.Errorf("the last line is %s", last)
	}
}

// TestUplinksWithoutEthernetAreSeen has a host whose uplink is a tun device.
func TestUplinksWithoutEthernetAreSeen(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24"), "dmz": network(spec.Route, "dmz0", "10.2.0.1/24")})
	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: netlink.TUNTAP_MODE_TUN, Queues: 1, Flags: netlink.TUNTAP_ONE_QUEUE}
	try(t, l.Machine.NS().Do(func() error { return netlink.LinkAdd(tun) }))
	defer tun.Fds[0].Close() // somebody holds the device, so it has carrier
	l.run("ip addr add 192.0.2.130/32 dev tun0")
	l.run("ip link set tun0 up")
	l.run("ip route replace default dev tun0")
	l.sysctl("net/ipv4/conf/tun0/forwarding", "1")
	o := l.options()
	o.Uplinks4 = []string{"tun0"}
	var got []string
	for _, line := range lines(verify(t, o)) {
		if strings.Contains(line, "→ outside") && strings.Contains(line, "(udp)") {
			got = append(got, line)
		}
	}
	same(t, got, []string{
		"dmz: guest → outside 198.51.100.254 (udp): leaves as X: left as X",
		"lab: guest → outside 198.51.100.254 (udp): leaves as 192.0.2.130: left as 192.0.2.130",
	})
}
