package radv

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestAdvertisementSaysWhatThePlanSays(t *testing.T) {
	t.Parallel()
	b, err := message(*sample(), bridge, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &ndp.RouterAdvertisement{
		CurrentHopLimit: 64, ManagedConfiguration: true, OtherConfiguration: true,
		RouterSelectionPreference: ndp.High, RouterLifetime: 30 * time.Minute,
		Options: []ndp.Option{
			&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: net.HardwareAddr(bridge[:])},
			ndp.NewMTU(1450),
			&ndp.PrefixInformation{PrefixLength: 64, OnLink: true, AutonomousAddressConfiguration: true, ValidLifetime: 24 * time.Hour,
				PreferredLifetime: 4 * time.Hour, Prefix: netip.MustParseAddr("fd00:1::")},
			&ndp.PrefixInformation{PrefixLength: 64, OnLink: true, ValidLifetime: ndp.Infinity, PreferredLifetime: ndp.Infinity,
				Prefix: netip.MustParseAddr("fd00:2::")},
			&ndp.RouteInformation{PrefixLength: 48, Preference: ndp.Low, RouteLifetime: 30 * time.Minute, Prefix: netip.MustParseAddr("fd00:9::")},
			&ndp.RecursiveDNSServer{Lifetime: 30 * time.Minute, Servers: []netip.Addr{netip.MustParseAddr("fd00:1::1")}},
			&ndp.DNSSearchList{Lifetime: 30 * time.Minute, DomainNames: []string{"lab.internal"}},
		},
	}
	if d := cmp.Diff(want, parse(t, b), cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
	if b[2] != 0 || b[3] != 0 {
		t.Errorf("the checksum is %x, want it left to who sends", b[2:4])
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*plan.RA)
		check  func(*ndp.RouterAdvertisement) bool
	}{
		{"RFC 4191 2.2: a router that is no default router has medium preference", func(r *plan.RA) { r.Lifetime = 0 },
			func(m *ndp.RouterAdvertisement) bool {
				return m.RouterLifetime == 0 && m.RouterSelectionPreference == ndp.Medium
			}},
		{"RFC 4861 6.2.1: the router lifetime is at most 9000 s", func(r *plan.RA) { r.Lifetime = 20000 },
			func(m *ndp.RouterAdvertisement) bool { return m.RouterLifetime == 9000*time.Second }},
		{"RFC 4861 6.2.1: an infinite router lifetime is at most 9000 s", func(r *plan.RA) { r.Lifetime = spec.Infinite },
			func(m *ndp.RouterAdvertisement) bool { return m.RouterLifetime == 9000*time.Second }},
		{"RFC 4862 5.5.3: preferred is not longer than valid", func(r *plan.RA) { r.Prefixes[0].Valid = 60 },
			func(m *ndp.RouterAdvertisement) bool {
				return find[*ndp.PrefixInformation](m)[0].PreferredLifetime == time.Minute
			}},
		{"RFC 4861 4.6.2: the host part of a prefix is zero", func(r *plan.RA) { r.Prefixes[0].Prefix = netip.MustParsePrefix("fd00:1::1/64") },
			func(m *ndp.RouterAdvertisement) bool {
				return find[*ndp.PrefixInformation](m)[0].Prefix == netip.MustParseAddr("fd00:1::")
			}},
		{"RFC 8106 5.1: resolvers last three intervals", func(r *plan.RA) { r.Interval = 100 },
			func(m *ndp.RouterAdvertisement) bool {
				return find[*ndp.RecursiveDNSServer](m)[0].Lifetime == 300*time.Second
			}},
		{"resolvers last a minute at least", func(r *plan.RA) { r.Interval = 4 },
			func(m *ndp.RouterAdvertisement) bool { return find[*ndp.DNSSearchList](m)[0].Lifetime == time.Minute }},
		{"resolvers of IPv4 are left out", func(r *plan.RA) { r.DNS = []netip.Addr{netip.MustParseAddr("192.0.2.1")} },
			func(m *ndp.RouterAdvertisement) bool { return len(find[*ndp.RecursiveDNSServer](m)) == 0 }},
		{"no MTU, no option", func(r *plan.RA) { r.MTU = 0 },
			func(m *ndp.RouterAdvertisement) bool { return len(find[*ndp.MTU](m)) == 0 }},
		{"RFC 4861 4.2: times of neighbour detection are left to the guest", func(*plan.RA) {},
			func(m *ndp.RouterAdvertisement) bool { return m.ReachableTime == 0 && m.RetransmitTimer == 0 }},
		{"a default route may be a route", func(r *plan.RA) { r.Routes[0].To = netip.MustParsePrefix("::/0") },
			func(m *ndp.RouterAdvertisement) bool { return find[*ndp.RouteInformation](m)[0].PrefixLength == 0 }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ra := sample()
			c.change(ra)
			b, err := message(*ra, bridge, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m := parse(t, b); !c.check(m) {
				t.Errorf("advertised %+v", m)
			}
		})
	}
}
