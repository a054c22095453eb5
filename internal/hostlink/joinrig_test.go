package hostlink_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// bridgeMAC is what the bridges of these tests have before.
const bridgeMAC = "52:54:00:00:00:b0"

// bridges are what there may be on a host before, which has eth2, eth3 and eth4 as cables to guests.
var bridges = map[string][]string{
	"empty": {
		"ip link add br0 type bridge", "ip link set eth4 master br0", "ip link set br0 up", "ip link set eth4 nomaster", "ip link set br0 address " + bridgeMAC,
	},
	"without a port ever": {
		"ip link add br0 type bridge", "ip link set br0 up", "ip addr add 10.55.0.1/24 dev br0",
	},
	"empty, with addresses": {
		"ip link add br0 address " + bridgeMAC + " type bridge", "ip link set eth4 master br0", "ip link set eth4 nomaster", "ip link set br0 up",
		"ip addr add 10.55.0.1/24 brd + dev br0", "ip addr add 10.55.0.2/24 dev br0", "ip -6 addr add 2001:db8:55::1/64 dev br0 nodad",
		"ip route add 10.56.0.0/16 via 10.55.0.9", "ip -6 route add 2001:db8:56::/48 via 2001:db8:55::9 metric 40",
		"ip neigh add 10.55.0.77 lladdr 52:54:00:00:55:77 dev br0 nud permanent", "ip neigh add proxy 10.55.0.88 dev br0",
		"ip -6 neigh add proxy 2001:db8:55::88 dev br0", "ip rule add pref 90 iif br0 lookup 155",
	},
	"guests": {
		"ip link add br0 type bridge", "ip link set eth2 master br0", "ip link set br0 up",
	},
	"guests and addresses": {
		"ip link add br0 address " + bridgeMAC + " type bridge", "ip link set eth2 master br0", "ip link set eth3 master br0", "ip link set br0 up",
		"ip addr add 10.55.0.1/24 brd + dev br0 label br0:in", "ip addr add 10.55.0.2/24 dev br0", "ip addr add 10.57.0.1 peer 10.57.0.2/32 dev br0",
		"ip addr add 10.58.0.1/24 dev br0 valid_lft 9000 preferred_lft 8000 metric 9",
		"ip -6 addr add 2001:db8:55::1/64 dev br0 nodad", "ip -6 addr add 2001:db8:55::2/64 dev br0 valid_lft 9000 preferred_lft 8000",
		"ip -6 addr add fe80::b0/64 dev br0 nodad",
		"ip route add 10.56.0.0/16 via 10.55.0.9 mtu 1300", "ip route add default via 10.55.0.9 metric 700", "ip -6 route add default via 2001:db8:55::9 metric 700",
		"ip -6 route add 2001:db8:56::/48 via 2001:db8:55::9 metric 40", "ip route add 10.59.0.0/16 dev br0 table 155",
		"ip -6 route add 2001:db8:5a::/48 via fe80::9 dev br0 proto ra metric 41 expires 5000",
		"ip rule add pref 90 iif br0 lookup 155", "ip -6 rule add pref 91 oif br0 lookup 155", "ip rule add pref 92 from 10.55.0.1 lookup 155",
		"ip neigh add 10.55.0.77 lladdr 52:54:00:00:55:77 dev br0 nud permanent", "ip neigh add proxy 10.55.0.88 dev br0",
		"ip neigh add 2001:db8:55::77 lladdr 52:54:00:00:55:78 dev br0 nud permanent", "ip -6 neigh add proxy 2001:db8:55::88 dev br0",
		"ip maddr add 01:00:5e:05:05:05 dev br0", "ip link set br0 txqueuelen 55 alias inside",
		"ip nexthop add id 55 via 10.55.0.9 dev br0", "ip route add 10.60.0.0/16 nhid 55",
	},
	"settings and a token": {
		"ip link add br0 address " + bridgeMAC + " type bridge forward_delay 400", "ip link set eth2 master br0", "ip link set br0 up",
		"ip token set ::b0 dev br0", "ip -6 addr add 2001:db8:55::b0/64 dev br0 nodad",
		"sysctl -qw net.ipv4.conf.br0.forwarding=1 net.ipv6.conf.br0.forwarding=1 net.ipv6.conf.br0.accept_ra=2 net.ipv4.conf.br0.rp_filter=1",
		"sysctl -qw net.ipv4.conf.br0.arp_notify=1 net.ipv6.conf.br0.ndisc_notify=1 net.ipv4.neigh.br0.gc_stale_time=55 net.ipv6.conf.br0.mtu=1350",
		"sysctl -qw net.ipv4.conf.br0.proxy_arp=1 net.ipv6.conf.br0.hop_limit=55 net.ipv6.conf.br0.addr_gen_mode=1",
	},
	"a secret": {
		"ip link add br0 type bridge", "ip link set eth2 master br0", "sysctl -qw net.ipv6.conf.br0.stable_secret=2001:db8::b0b0", "ip link set br0 up",
		"ip addr add 10.55.0.1/24 dev br0",
	},
	"no IPv6": {
		"ip link add br0 type bridge", "ip link set eth2 master br0", "sysctl -qw net.ipv6.conf.br0.disable_ipv6=1", "ip link set br0 up", "ip addr add 10.55.0.1/24 dev br0",
	},
	"a small MTU": {
		"ip link add br0 type bridge", "ip link set eth2 mtu 1400 master br0", "ip link set br0 up",
		"ip addr add 10.55.0.1/24 dev br0", "ip -6 addr add 2001:db8:55::1/64 dev br0 nodad",
	},
	"a large MTU, and a macvlan": {
		"ip link add br0 type bridge", "ip link set eth2 mtu 9000", "ip link set eth2 master br0", "ip link set br0 up",
		"ip addr add 10.55.0.1/24 dev br0", "ip -6 addr add 2001:db8:55::1/64 dev br0 nodad", "ip -6 route add 2001:db8:56::/48 via 2001:db8:55::9 mtu 4000",
		"ip link add link br0 name mv0 type macvlan", "ip link set mv0 up", "ip addr add 10.67.0.1/24 dev mv0",
		"ip neigh add 10.67.0.77 lladdr 52:54:00:00:67:77 dev mv0 nud permanent", "ip -6 neigh add proxy 2001:db8:67::88 dev mv0",
	},
	"as the NIC": {
		"ip link add br0 type bridge", "ip link set eth2 master br0", "ip link set br0 up",
		"ip -6 addr add 2001:db8::55/64 dev br0 nodad", "ip route append 10.0.0.0/8 via 192.0.2.1 dev br0 onlink",
		"ip route append default via 192.0.2.1 dev br0 onlink", "ip rule add pref 110 iif br0 lookup 100", "ip rule add pref 110 oif br0 lookup 100",
		"ip neigh add 192.0.2.77 lladdr 52:54:00:00:55:77 dev br0 nud permanent", "ip maddr add 01:00:5e:01:02:03 dev br0",
		"ip -6 route append 2001:db8:8::/48 dev br0 metric 5 proto static",
		"sysctl -qw net.ipv6.conf.br0.use_tempaddr=2",
	},
}

// inhabited is a machine with eth0 and a bridge br0, and guests on its other cables.
// Those of the bridge are made before, or after what eth0 has.
func inhabited(t testing.TB, nic, bridge []string, after bool) *testhost.Host {
	t.Helper()
	m, outside := nstest.Host(t, "machine"), nstest.Host(t, "outside")
	for i := range 5 {
		p := testhost.Plug{Inside: fmt.Sprint("eth", i), MAC: mac(byte(0x20 - i)), Outside: outside.NS(), OutsideName: fmt.Sprint("far", i), OutsideMAC: mac(byte(i + 0x31))}
		if err := m.Plug(p); err != nil {
			t.Fatal(err)
		}
		configure(t, outside.NS(), fmt.Sprintf("ip link set far%d mtu 9000", i))
	}
	if after {
		configure(t, m.NS(), nic...)
		configure(t, m.NS(), bridge...)
	} else {
		configure(t, m.NS(), bridge...)
		configure(t, m.NS(), nic...)
	}
	settled(t, m.NS())
	noticed(t, m.NS(), "br0")
	return m
}

// noticed waits until the kernel has seen whether a link has a carrier.
func noticed(t testing.TB, ns *netns.NS, name string) {
	t.Helper()
	nstest.Eventually(t, 10*time.Second, func() error {
		out := nstest.Run(t, ns, "sh", "-c", "ip link show "+name+"; cat /proc/net/dev >/dev/null")
		if strings.Contains(out, "LOWER_UP") == strings.Contains(out, "NO-CARRIER") {
			return fmt.Errorf("not noticed: %s", out)
		}
		return nil
	})
}

// hashed are neighbours, which the kernel has in a hash table: their order says which of
// them came first into one bucket.
var hashed = regexp.MustCompile(` (proxy|PERMANENT) $`)

// once is what a bridge has until it has had a port, or IPv6, for the first time, and
// what the kernel can do.
var once = regexp.MustCompile(`(?m)^\tlink  33:33:00:00:00:(01|6a)\n|tso_max_(size|segs) \d+ `)

// untouched is what a bridge is until it has its first port, or is given a MAC: nobody
// can make it that again.
var untouched = regexp.MustCompile(`(NO-CARRIER,|LOWER_)?(BROADCAST,MULTICAST,)?UP(,LOWER_UP)?>|state (UNKNOWN|DOWN)|(designated_root|bridge_id) [\w.:]+| linkdown`)

// bothDumped is a machine as text, with the settings of the bridge and of what is on it.
func bothDumped(t testing.TB, ns *netns.NS) string {
	t.Helper()
	noticed(t, ns, "br0")
	lines := strings.Split(once.ReplaceAllString(dump(t, ns), ""), "\n")
	for i := range lines {
		for j := i; j > 0 && hashed.MatchString(lines[j]) && hashed.MatchString(lines[j-1]) && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n") + nstest.Run(t, ns, "sh", "-c", `
cd /proc/sys/net; grep -s . ipv?/conf/br0/* ipv?/neigh/br0/* ipv?/conf/mv0/arp_notify ipv?/conf/mv0/ndisc_notify ipv?/conf/mv0/mtu; true`)
}

// toJoin works out how eth0 moves into the br0 that is there.
func toJoin(t testing.TB, ns *netns.NS) (before hostlink.State, ops []hostlink.Op) {
	t.Helper()
	before = look(t, ns, "eth0", "br0")
	ops, _, err := hostlink.Convert(before, hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	return before, ops
}

// rejoin goes back to a state in two turns at most.
func rejoin(t testing.TB, ns *netns.NS, before hostlink.State) {
	t.Helper()
	revertIn(t, ns, before, 2)
}
