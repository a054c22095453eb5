package hostlink_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

var compared = []cmp.Option{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// TestStartBringsUpWhatListTells: an interface is afterwards as it was to be, twice in
// a row, and Stop leaves the host as it was.
func TestStartBringsUpWhatListTells(t *testing.T) {
	t.Parallel()
	ip4 := &spec.InterfaceIP{
		Addresses: prefixes("192.0.2.2/24", "198.51.100.1/32"),
		Routes: []spec.InterfaceRoute{
			{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("203.0.113.1"), Metric: 50, OnLink: true, Source: netip.MustParseAddr("192.0.2.2")},
			{To: netip.MustParsePrefix("10.0.0.0/8"), Via: netip.MustParseAddr("192.0.2.1")},
			{To: netip.MustParsePrefix("172.16.0.0/12")},
		},
	}
	ip6 := &spec.InterfaceIP{
		Addresses: prefixes("2001:db8::2/64"),
		Routes:    []spec.InterfaceRoute{{To: netip.MustParsePrefix("::/0"), Via: netip.MustParseAddr("2001:db8::1")}},
	}
	for name, i := range map[string]spec.HostInterface{
		"ethernet": {Name: "eth0", Type: spec.EthernetInterface, MAC: mac(1), MTU: 1400, IPv4: ip4, IPv6: ip6},
		"bridge": {
			Name: "br0", Type: spec.BridgeInterface, MAC: mac(9), IPv4: ip4, IPv6: ip6,
			Bridge: &spec.BridgeDetails{STP: true, Delay: 4, Ports: []spec.HostInterface{
				{Name: "eth0", Type: spec.EthernetInterface, MAC: mac(1)}, {Name: "eth1", Type: spec.EthernetInterface, MAC: mac(2)},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := machine(t, "ip link set eth0 down", "ip link set eth1 down")
			before := list(t, m.NS())
			ops, acquire := hostlink.Start(i)
			if acquire != (hostlink.Acquire{}) {
				t.Errorf("to be acquired: %+v", acquire)
			}
			for range 2 {
				apply(t, m.NS(), ops)
				if diff := cmp.Diff(hostlink.Listed{HostInterface: i, Up: true}, list(t, m.NS())[i.Name], compared...); diff != "" {
					t.Fatalf("(-wanted +listed):\n%s", diff)
				}
			}
			for range 2 {
				apply(t, m.NS(), hostlink.Stop(i))
			}
			before["eth0"] = withMTU(before["eth0"], list(t, m.NS())["eth0"].MTU)
			if diff := cmp.Diff(before, list(t, m.NS()), compared...); diff != "" {
				t.Errorf("after it was stopped (-before +after):\n%s", diff)
			}
		})
	}
}

func withMTU(l hostlink.Listed, mtu int) hostlink.Listed {
	l.MTU = mtu
	return l
}

func TestStartSaysWhatIsToBeAcquired(t *testing.T) {
	t.Parallel()
	_, a := hostlink.Start(spec.HostInterface{Name: "eth0", IPv4: &spec.InterfaceIP{DHCP: true}, IPv6: &spec.InterfaceIP{Autoconf: true}})
	if want := (hostlink.Acquire{IPv4: true}); a != want {
		t.Errorf("got %+v, want %+v", a, want)
	}
}

// TestStartOfABondAndAVLAN makes them where the kernel can, and says plainly where it
// cannot.
func TestStartOfABondAndAVLAN(t *testing.T) {
	t.Parallel()
	for _, i := range []spec.HostInterface{
		{Name: "eth0.7", Type: spec.VLANInterface, MAC: mac(1), VLAN: &spec.VLANDetails{Tag: 7, On: "eth0"}, IPv4: &spec.InterfaceIP{Addresses: prefixes("192.0.2.2/24")}},
		{
			Name: "bond0", Type: spec.BondInterface, MAC: mac(1),
			Bond: &spec.BondDetails{
				Mode: "active-backup", MII: &spec.BondMII{Every: 100, UpDelay: 200, DownDelay: 300, Carrier: "netif"},
				Ports: []spec.HostInterface{{Name: "eth0", Type: spec.EthernetInterface, MAC: mac(1)}, {Name: "eth1", Type: spec.EthernetInterface, MAC: mac(1)}},
			},
		},
	} {
		t.Run(i.Name, func(t *testing.T) {
			t.Parallel()
			m, _ := machine(t)
			ops, _ := hostlink.Start(i)
			err := hostlink.Apply(t.Context(), m.NS(), ops, nil)
			if err != nil {
				if !strings.Contains(err.Error(), "this kernel makes no interfaces of type "+string(i.Type)) || !strings.Contains(err.Error(), "modprobe") {
					t.Error(err)
				}
				return
			}
			if diff := cmp.Diff(hostlink.Listed{HostInterface: i, Up: true}, list(t, m.NS())[i.Name], compared...); diff != "" {
				t.Errorf("(-wanted +listed):\n%s", diff)
			}
			apply(t, m.NS(), hostlink.Stop(i))
			if _, there := list(t, m.NS())[i.Name]; there {
				t.Error("it is still there")
			}
		})
	}
}

func TestApplyStopsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	m, _ := machine(t)
	ops, _ := hostlink.Start(spec.HostInterface{Name: "eth7"})
	if err := hostlink.Apply(t.Context(), m.NS(), ops, nil); err == nil || !strings.Contains(err.Error(), "eth7") {
		t.Errorf("an interface that is not there: %v", err)
	}
	ops, _ = hostlink.Start(spec.HostInterface{Name: "eth0", IPv4: &spec.InterfaceIP{Routes: []spec.InterfaceRoute{
		{To: netip.MustParsePrefix("10.0.0.0/8"), Via: netip.MustParseAddr("192.0.2.1")},
	}}})
	err := hostlink.Apply(t.Context(), m.NS(), ops, nil)
	if err == nil || !strings.Contains(err.Error(), "ip route replace 10.0.0.0/8 via 192.0.2.1 dev eth0") {
		t.Errorf("a gateway that cannot be reached: %v", err)
	}
	if out := nstest.Run(t, m.NS(), "ip", "route", "show", "10.0.0.0/8"); out != "" {
		t.Errorf("there is a route: %s", out)
	}
}
