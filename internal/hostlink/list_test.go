package hostlink_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// ip runs lines of ip(8) in a namespace.
func ip(t testing.TB, ns *netns.NS, lines ...string) {
	t.Helper()
	for _, line := range lines {
		nstest.Run(t, ns, "sh", "-ec", "ip "+line)
	}
}

func list(t *testing.T, ns *netns.NS) map[string]hostlink.Listed {
	t.Helper()
	all, err := hostlink.List(ns)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]hostlink.Listed{}
	for _, l := range all {
		named[l.Name] = l
	}
	return named
}

func TestListTellsInterfacesAsTheModelHasThem(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "machine")
	ip(t, h.NS(),
		"link add eth0 address 52:54:00:00:00:01 type veth peer name far0", "link set far0 up",
		"link set eth0 up mtu 1400",
		"addr add 192.0.2.2/24 dev eth0 valid_lft 600 preferred_lft 300",
		"addr add 192.0.2.3/32 dev eth0",
		"-6 addr add 2001:db8::2/64 dev eth0 nodad",
		"route add default via 192.0.2.1 dev eth0 metric 100 src 192.0.2.2",
		"route add 198.51.100.0/24 via 203.0.113.1 dev eth0 onlink",
		"route add 10.0.0.0/8 dev eth0 table 7",
		"-6 route add default via fe80::1 dev eth0",
		"link add br0 address 52:54:00:00:00:02 type bridge stp_state 1 forward_delay 400",
		"link set br0 alias office",
		"link add eth1 address 52:54:00:00:00:03 type veth peer name far1", "link set eth1 master br0",
		"tuntap add tap0 mode tap", "link set tap0 address 52:54:00:00:00:04 master br0",
		"tuntap add tap1 mode tap",
	)
	got := list(t, h.NS())
	for _, name := range []string{"lo", "eth1", "tap0", "tap1"} {
		if _, there := got[name]; there {
			t.Errorf("%s is listed", name)
		}
	}
	mac := func(last byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, 0, last} }
	want := map[string]hostlink.Listed{
		"eth0": {Up: true, HostInterface: spec.HostInterface{
			Name: "eth0", Type: spec.EthernetInterface, MAC: mac(1), MTU: 1400,
			IPv4: &spec.InterfaceIP{
				DHCP:      true,
				Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("192.0.2.3/32")},
				Routes: []spec.InterfaceRoute{
					{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Metric: 100, Source: netip.MustParseAddr("192.0.2.2")},
					{To: netip.MustParsePrefix("198.51.100.0/24"), Via: netip.MustParseAddr("203.0.113.1"), OnLink: true},
				},
			},
			IPv6: &spec.InterfaceIP{
				Addresses: []netip.Prefix{netip.MustParsePrefix("2001:db8::2/64")},
				Routes:    []spec.InterfaceRoute{{To: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("fe80::1")}},
			},
		}},
		"br0": {Alias: "office", HostInterface: spec.HostInterface{
			Name: "br0", Type: spec.BridgeInterface, MAC: mac(2),
			Bridge: &spec.BridgeDetails{STP: true, Delay: 4, Ports: []spec.HostInterface{
				{Name: "eth1", Type: spec.EthernetInterface, MAC: mac(3)}, {Name: "tap0", Type: spec.EthernetInterface, MAC: mac(4)},
			}},
		}},
	}
	for name := range want {
		if diff := cmp.Diff(want[name], got[name], cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestListTellsRouterAdvertisements(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "machine")
	ip(t, h.NS(),
		"link add eth0 type veth peer name far0", "link set far0 up", "link set eth0 up",
		"-6 addr add 2001:db8::2/64 dev eth0 nodad mngtmpaddr valid_lft 600 preferred_lft 600",
		"link add eth1 type veth peer name far1", "link set far1 up", "link set eth1 up",
		"-6 route add default via fe80::1 dev eth1 proto ra",
	)
	got := list(t, h.NS())
	for _, name := range []string{"eth0", "eth1"} {
		if six := got[name].IPv6; six == nil || !six.Autoconf || six.DHCP {
			t.Errorf("%s: IPv6 is %+v, want autoconf", name, six)
		}
	}
	if got["eth0"].IPv4 != nil {
		t.Errorf("IPv4 out of nothing: %+v", got["eth0"].IPv4)
	}
}
