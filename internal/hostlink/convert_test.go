package hostlink_test

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

func mac(last byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, 0, last} }

// configurations are what hosts have on a NIC.
var configurations = map[string][]string{
	"nothing": nil,
	"IPv4": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip route add default via 192.0.2.1",
	},
	"IPv4 with source": {
		"ip addr add 192.0.2.2/24 brd + dev eth0", "ip route add default via 192.0.2.1 src 192.0.2.2 metric 100 proto dhcp",
		"ip addr add 10.1.0.1/24 dev eth1", "ip route add 10.2.0.0/16 via 10.1.0.9 src 192.0.2.2",
	},
	"lease": {
		"ip addr add 192.0.2.2/24 brd + dev eth0 valid_lft 3600 preferred_lft 1800 metric 50 noprefixroute",
		"ip route add 192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.2 metric 50",
		"ip route add default via 192.0.2.1 dev eth0 proto dhcp src 192.0.2.2 metric 50",
	},
	"secondary, labels and a peer": {
		"ip addr add 192.0.2.2/24 dev eth0 label eth0:web", "ip addr add 192.0.2.3/24 dev eth0 label eth0:mail",
		"ip addr add 192.0.2.4/25 dev eth0", "ip addr add 10.9.0.1 peer 10.9.0.2/32 dev eth0 scope link",
		"ip addr add 198.51.100.7/32 dev eth0 metric 7", "ip route add 10.8.0.0/16 via 10.9.0.2",
	},
	"a gateway elsewhere": {
		"ip addr add 203.0.113.5/32 dev eth0", "ip route add 192.0.2.1 dev eth0 scope link",
		"ip route add default via 192.0.2.1 src 203.0.113.5",
		"ip route add 10.0.0.0/8 via 198.51.100.1 dev eth0 onlink mtu 1400 advmss 1300 initcwnd 20",
	},
	"tables and rules": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 198.51.100.2/24 dev eth1",
		"ip route add default via 192.0.2.1 table 100", "ip route add default via 198.51.100.1 dev eth1 table 200",
		"ip route add 10.0.0.0/8 dev eth0 table 100 scope link", "ip route add local 10.77.0.0/16 dev eth0 table local",
		"ip rule add pref 100 from 192.0.2.2 lookup 100", "ip rule add pref 110 iif eth0 lookup 100", "ip rule add pref 110 oif eth0 lookup 100",
		"ip route add 10.5.0.0/16 via 192.0.2.9 tos 0x10",
		"ip rule add pref 120 oif eth0 fwmark 0x5/0xff lookup 100", "ip rule add pref 130 iif eth1 oif eth0 unreachable",
		"ip rule add pref 140 not iif eth0 to 10.0.0.0/8 ipproto tcp dport 80-90 lookup 200",
		"ip -6 rule add pref 150 iif eth0 lookup 100 suppress_prefixlength 0",
	},
	"two gateways": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 198.51.100.2/24 dev eth1",
		"ip route add default via 192.0.2.1 metric 100", "ip route add default via 198.51.100.1 metric 200",
		"ip route append 10.0.0.0/8 via 192.0.2.1", "ip route append 10.0.0.0/8 via 198.51.100.1", "ip route append 10.0.0.0/8 via 192.0.2.7",
		"ip route append 10.64.0.0/16 via 198.51.100.1", "ip route append 10.64.0.0/16 via 192.0.2.1",
		"ip -6 addr add 2001:db8:0::2/64 dev eth0 nodad", "ip -6 addr add 2001:db8:1::2/64 dev eth1 nodad",
		"ip -6 route add default via 2001:db8:0::1 metric 100", "ip -6 route add default via 2001:db8:1::1 metric 200",
	},
	"the same subnet on two": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 192.0.2.3/24 dev eth1", "ip route add default via 192.0.2.1 dev eth0",
	},
	"multipath": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 198.51.100.2/24 dev eth1",
		"ip route add default nexthop via 192.0.2.1 dev eth0 weight 3 nexthop via 198.51.100.1 dev eth1",
		"ip -6 addr add 2001:db8:0::2/64 dev eth0 nodad", "ip -6 addr add 2001:db8:1::2/64 dev eth1 nodad",
		"ip -6 route add default nexthop via 2001:db8:0::1 dev eth0 nexthop via 2001:db8:1::1 dev eth1 weight 2",
		"ip -6 route add 2001:db8:9::/48 nexthop via fe80::1 dev eth1 nexthop via fe80::2 dev eth0 nexthop via fe80::3 dev eth0",
	},
	"nexthop objects": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 198.51.100.2/24 dev eth1",
		"ip -6 addr add 2001:db8:0::2/64 dev eth0 nodad",
		"ip nexthop add id 1 via 192.0.2.1 dev eth0", "ip nexthop add id 2 via 198.51.100.1 dev eth1", "ip nexthop add id 3 group 1/2,3",
		"ip nexthop add id 4 via 2001:db8::1 dev eth0", "ip nexthop add id 5 via 203.0.113.1 dev eth0 onlink proto static",
		"ip route add default nhid 1", "ip route add 10.0.0.0/8 nhid 3", "ip -6 route add default nhid 4", "ip route add 10.9.0.0/16 nhid 5",
	},
	"IPv6": {
		"ip -6 addr add 2001:db8::2/64 dev eth0", "ip -6 addr add 2001:db8::3/64 dev eth0 nodad", "ip -6 addr add 2001:db8::4/128 dev eth0 preferred_lft 0",
		"ip -6 addr add 2001:db8:5::1/64 dev eth0 noprefixroute metric 77", "ip -6 addr add 2001:db8:6::1 peer 2001:db8:6::2 dev eth0",
		"ip -6 addr add fe80::77/64 dev eth0",
		"ip -6 route add default via fe80::1 dev eth0 src 2001:db8::3 pref high", "ip -6 route add 2001:db8:7::/48 via 2001:db8::1 mtu 1300",
		"ip -6 route add 2001:db8:8::/48 dev eth0 metric 5 proto static", "ip -6 route add 2001:db8:8::/48 via fe80::9 dev eth0 metric 5 table 99",
	},
	"one prefix, several metrics": {
		"ip -6 addr add 2001:db8::2/64 dev eth0 nodad", "ip -6 addr add 2001:db8::5/64 dev eth0 metric 77 nodad",
		"ip -6 addr add 2001:db8::4/64 dev eth0 valid_lft 9000 preferred_lft 0 nodad", "ip -6 addr add 2001:db8::6/64 dev eth0 metric 78 valid_lft 9000 preferred_lft 8000 nodad",
	},
	"router advertisements": {
		"ip -6 addr add 2001:db8::2/64 dev eth0 valid_lft 7200 preferred_lft 3600 mngtmpaddr",
		"ip -6 route add default via fe80::1 dev eth0 proto ra metric 1024 expires 1800 hoplimit 64",
		"ip -6 route add 2001:db8:ffff::/48 via fe80::1 dev eth0 proto ra metric 1024 expires 600 pref low",
		"sysctl -qw net.ipv6.conf.eth0.accept_ra=2 net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=64",
	},
	"privacy": {
		"ip -6 addr add 2001:db8:2::9/64 dev eth0 nodad",
		"sysctl -qw net.ipv6.conf.eth0.use_tempaddr=2",
		"ip -6 addr add 2001:db8::2/64 dev eth0 valid_lft 7200 preferred_lft 3600 mngtmpaddr",
		"ip -6 addr add 2001:db8:1::9/64 dev eth0 nodad",
		"ip -6 route add default via fe80::1 dev eth0 proto ra metric 1024 expires 1800",
	},
	"neighbours, groups and settings": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip -6 addr add 2001:db8::2/64 dev eth0 nodad",
		"ip neigh add 192.0.2.77 lladdr 52:54:00:00:00:77 dev eth0 nud permanent", "ip neigh add proxy 192.0.2.88 dev eth0",
		"ip neigh add 2001:db8::77 lladdr 52:54:00:00:00:78 dev eth0 nud permanent", "ip neigh add proxy 2001:db8::88 dev eth0",
		"ip maddr add 01:00:5e:01:02:03 dev eth0",
		"sysctl -qw net.ipv4.conf.eth0.forwarding=1 net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.eth0.proxy_arp=1 net.ipv4.conf.eth0.arp_ignore=1",
		"sysctl -qw net.ipv6.conf.eth0.forwarding=1 net.ipv6.conf.eth0.accept_ra=0 net.ipv6.conf.eth0.mtu=1400 net.ipv4.neigh.eth0.gc_stale_time=99",
		"sysctl -qw net.ipv6.conf.eth0.proxy_ndp=1 net.ipv6.conf.eth0.hop_limit=33",
		"ip link set eth0 mtu 1450 txqueuelen 77 alias uplink allmulticast on",
	},
	"a token": {
		"ip token set ::77 dev eth0", "ip -6 addr add 2001:db8::77/64 dev eth0 nodad",
	},
	"a secret": {
		"sysctl -qw net.ipv6.conf.eth0.stable_secret=2001:db8::5eed", "ip -6 addr add 2001:db8::2/64 dev eth0 nodad",
	},
	"no IPv6": {
		"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1", "ip addr add 192.0.2.2/24 dev eth0", "ip route add default via 192.0.2.1",
	},
	"a route the kernel made is gone": {
		"ip addr add 192.0.2.2/24 dev eth0", "ip -6 addr add 2001:db8::2/64 dev eth0 nodad",
		"ip route del 192.0.2.0/24 dev eth0", "ip -6 route del 2001:db8::/64 dev eth0",
	},
}

// ownOf prints what IP has on an interface, which is called IF. Multipath routes are
// not listed by interface.
func ownOf(t *testing.T, ns *netns.NS, name string) string {
	t.Helper()
	out := nstest.Run(t, ns, "sh", "-c", strings.ReplaceAll(`
ip -d addr show dev NAME | grep -A1 inet
ip -d -4 route show table all dev NAME; ip -d -6 route show table all dev NAME
ip -4 rule | grep -w NAME; ip -6 rule | grep -w NAME; ip nexthop | grep -w NAME
ip token get dev NAME
ip neigh show nud permanent dev NAME; ip neigh show proxy dev NAME; ip maddr show dev NAME | grep static
true`, "NAME", name))
	out = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(out, "IF")
	return regexp.MustCompile(`(valid_lft|preferred_lft|expires) \d+sec`).ReplaceAllString(out, "$1 …")
}

// onlyKernels says whether nothing is left but the link-local address and groups.
var onlyKernels = regexp.MustCompile(`^((    inet6 fe80::.*\n.*|(unicast|local|anycast) fe80::.*|multicast ff00::.*|.* static|token .*)\n)*$`)

var everyOp = flag.Bool("every-op", false, "stop a move before every single op, not before a few, and try many random configurations")

// ends are the ops before which a move is stopped, each so many, and its end. They begin
// at another one in each run.
func ends(ops, step int) (list []int) {
	first := rand.IntN(step)
	if *everyOp {
		step, first = 1, 0
	}
	for end := first; end < ops; end += step {
		list = append(list, end)
	}
	return append(list, ops)
}

// TestConvertMovesAllAndLeavesNoTrace moves each configuration there and back, and back
// to what was kept, from the end and from where it was stopped.
func TestConvertMovesAllAndLeavesNoTrace(t *testing.T) {
	t.Parallel()
	for name, lines := range configurations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := machine(t, lines...)
			before, state := dump(t, m.NS()), look(t, m.NS(), "eth0", "br0")
			revert(t, m.NS(), state)
			same(t, "after a revert of nothing", before, dump(t, m.NS()))
			movedAll(t, m.NS(), name != "privacy" && name != "a secret") // TestConvertKeepsWhatOnlyTheKernelMakes
			unconvert(t, m.NS())
			same(t, "after convert and unconvert", before, dump(t, m.NS()))
			stoppedConvert(t, m.NS())
			convert(t, m.NS())
			stoppedUnconvert(t, m.NS())
			revert(t, m.NS(), state)
			same(t, "after all of it", before, dump(t, m.NS()))
		})
	}
}

// movedAll converts and compares the bridge with what the NIC had.
func movedAll(t *testing.T, ns *netns.NS, sameAddresses bool) {
	t.Helper()
	nic, other, settings := ownOf(t, ns, "eth0"), ownOf(t, ns, "eth1"), look(t, ns, "eth0").Settings
	convert(t, ns)
	same(t, "of another interface", other, strings.ReplaceAll(ownOf(t, ns, "eth1"), "oif br0", "oif eth0"))
	if diff := cmp.Diff(settings, look(t, ns, "eth0").Bridge.Settings); diff != "" {
		t.Errorf("settings of the NIC and the bridge (-NIC +bridge):\n%s", diff)
	}
	if !sameAddresses {
		return
	}
	same(t, "of the NIC, and then of the bridge", nic, ownOf(t, ns, "br0"))
	if left := ownOf(t, ns, "eth0"); !onlyKernels.MatchString(left) {
		t.Errorf("the NIC has still:\n%s", left)
	}
}

// stoppedConvert stops a conversion at ops, and reverts it.
func stoppedConvert(t *testing.T, ns *netns.NS) {
	t.Helper()
	before, state := dump(t, ns), look(t, ns, "eth0", "br0")
	ops, _, err := hostlink.Convert(state, hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	stops{ops, 20, dump, revert}.comeBack(t, ns, "after the revert", before, state)
}

// stops are ops that are stopped here and there.
type stops struct {
	ops    []hostlink.Op
	step   int
	dump   func(testing.TB, *netns.NS) string
	revert func(testing.TB, *netns.NS, hostlink.State)
}

// comeBack reverts each to a state, and compares with what was before.
func (s stops) comeBack(t *testing.T, ns *netns.NS, when, before string, state hostlink.State) {
	t.Helper()
	for _, end := range ends(len(s.ops), s.step) {
		applyUntil(t, ns, s.ops, end)
		s.revert(t, ns, state)
		if after := s.dump(t, ns); after != before {
			t.Logf("stopped before op %d of\n%s", end, text(s.ops))
			same(t, when, before, after)
		}
	}
}

// stoppedUnconvert does the same with the way back, and so goes back into the bridge.
func stoppedUnconvert(t *testing.T, ns *netns.NS) {
	t.Helper()
	settled(t, ns) // a secret makes an address of the bridge's own
	before, own, state := dump(t, ns), ownOf(t, ns, "br0"), look(t, ns, "eth0")
	ops, _, err := hostlink.Unconvert(state, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends(len(ops), 20) {
		applyUntil(t, ns, ops, end)
		revert(t, ns, state)
		if after := ownOf(t, ns, "br0"); after != own {
			t.Logf("stopped before op %d of\n%s", end, text(ops))
			same(t, "of the bridge, after the revert", own, after)
		}
		if end < len(ops) { // the bridge is the same one
			same(t, "after the revert", before, dump(t, ns))
		}
	}
}

// TestConvertKeepsWhatOnlyTheKernelMakes: a temporary address (RFC 8981) is in use on
// the bridge, and back in its place afterwards, although nobody can give its flag.
func TestConvertKeepsWhatOnlyTheKernelMakes(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, configurations["privacy"]...)
	before := nstest.Run(t, m.NS(), "ip", "-6", "-o", "addr", "show", "dev", "eth0", "temporary")
	address, _, _ := strings.Cut(strings.Fields(before)[3], "/")
	convert(t, m.NS())
	if out := nstest.Run(t, m.NS(), "ip", "-6", "addr", "show", "dev", "br0", "to", address); !strings.Contains(out, "noprefixroute") {
		t.Errorf("on the bridge: %q", out)
	}
	if out := nstest.Run(t, m.NS(), "ip", "-6", "route", "get", "2001:db8::1"); !strings.Contains(out, "dev br0") {
		t.Errorf("the way out is %s", out)
	}
	if out := nstest.Run(t, m.NS(), "ip", "-6", "addr", "show", "dev", "eth0", "temporary"); !strings.Contains(out, address) {
		t.Errorf("on the NIC: %q", out)
	}
	// An advertisement makes the copies on the bridge last longer.
	configure(t, m.NS(), "ip -6 addr change 2001:db8::2/64 dev br0 valid_lft 9999 preferred_lft 9000 mngtmpaddr")
	unconvert(t, m.NS())
	out := nstest.Run(t, m.NS(), "ip", "-6", "addr", "show", "dev", "eth0", "to", "2001:db8::2")
	if !regexp.MustCompile(`valid_lft 999\dsec`).MatchString(out) {
		t.Errorf("what the advertisement said is lost: %s", out)
	}
}
