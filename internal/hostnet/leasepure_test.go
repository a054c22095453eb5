package hostnet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

func route(to, via string) spec.InterfaceRoute {
	r := spec.InterfaceRoute{To: netip.MustParsePrefix(to)}
	if via != "" {
		r.Via = netip.MustParseAddr(via)
	}
	return r
}

func routesText(list []spec.InterfaceRoute) string {
	var all []string
	for _, r := range list {
		text := r.To.String()
		if r.Via.IsValid() {
			text += " via " + r.Via.String()
		}
		if r.OnLink {
			text += " onlink"
		}
		all = append(all, fmt.Sprintf("%s metric %d", text, r.Metric))
	}
	return strings.Join(all, ", ")
}

func TestRoutesOfALease(t *testing.T) {
	t.Parallel()
	static := func(r ...spec.InterfaceRoute) *spec.InterfaceIP { return &spec.InterfaceIP{DHCP: true, Routes: r} }
	lost := route("10.9.0.0/16", "203.0.113.9")
	forced := lost
	forced.OnLink = true
	for _, c := range []struct {
		name    string
		defined *spec.InterfaceIP
		lease   Lease
		want    string
	}{
		{"a gateway", nil, Lease{Gateway: netip.MustParseAddr("10.0.0.1")}, "0.0.0.0/0 via 10.0.0.1 metric 1024"},
		{"one elsewhere", nil, Lease{Gateway: netip.MustParseAddr("192.0.2.1")}, "0.0.0.0/0 via 192.0.2.1 onlink metric 1024"},
		{"one that a route leads to", nil, Lease{Gateway: netip.MustParseAddr("192.0.2.1"), Routes: []spec.InterfaceRoute{route("192.0.2.1/32", "")}},
			"192.0.2.1/32 metric 1024, 0.0.0.0/0 via 192.0.2.1 metric 1024"},
		{"a written default", static(route("0.0.0.0/0", "10.0.0.9")), Lease{Gateway: netip.MustParseAddr("10.0.0.1")}, "0.0.0.0/0 via 10.0.0.9 metric 0"},
		{"a written route of its own", static(route("10.8.0.0/16", "")), Lease{Gateway: netip.MustParseAddr("10.0.0.1")}, "0.0.0.0/0 via 10.0.0.1 metric 1024"},
		{"no way to a written gateway", static(lost), Lease{}, ""},
		{"a gateway that is on the link for sure", static(forced), Lease{}, ""},
	} {
		c.lease.Address = netip.MustParsePrefix("10.0.0.5/24")
		got := lessee{defined: spec.HostInterface{IPv4: c.defined}}.wants(c.lease)
		if text := routesText(got.Routes); text != c.want || !got.Forever {
			t.Errorf("%s: %s, want %s; without an end: %v", c.name, text, c.want, got.Forever)
		}
	}
}

func TestRoutesThatNeedALeaseWaitForIt(t *testing.T) {
	t.Parallel()
	sourced := route("10.7.0.0/16", "")
	sourced.Source = netip.MustParseAddr("10.0.0.5")
	i := spec.HostInterface{IPv4: &spec.InterfaceIP{DHCP: true, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")},
		Routes: []spec.InterfaceRoute{route("0.0.0.0/0", "10.0.0.1"), route("10.8.0.0/16", "192.0.2.1"), sourced, route("203.0.113.1/32", ""), route("10.6.0.0/16", "203.0.113.1")}}}
	if got := routesText(unleased(i).IPv4.Routes); got != "10.8.0.0/16 via 192.0.2.1 metric 0, 203.0.113.1/32 metric 0, 10.6.0.0/16 via 203.0.113.1 metric 0" {
		t.Error(got)
	}
	if i.IPv4.DHCP = false; len(unleased(i).IPv4.Routes) != 5 {
		t.Error("without DHCP nothing waits")
	}
}

func TestAKeyFollowsTheHardware(t *testing.T) {
	t.Parallel()
	mac, other := spec.MAC{2, 0, 0, 0, 0, 1}, spec.MAC{2, 0, 0, 0, 0, 2}
	nic := spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface, MAC: mac}
	vlan := spec.HostInterface{Name: "eth0.7", Type: spec.VLANInterface, MAC: mac, VLAN: &spec.VLANDetails{Tag: 7, On: "eth0"}}
	bridge := func(mac spec.MAC, ports ...spec.HostInterface) spec.HostInterface {
		return spec.HostInterface{Name: "br0", Type: spec.BridgeInterface, MAC: mac, Bridge: &spec.BridgeDetails{Ports: ports}}
	}
	for want, list := range map[string][]spec.HostInterface{
		"02:00:00:00:00:01":   {nic, bridge(mac, nic), bridge(mac), bridge(mac, spec.HostInterface{MAC: other}, nic)},
		"02:00:00:00:00:01.7": {vlan, bridge(mac, vlan)},
		"02:00:00:00:00:02":   {bridge(other, nic, vlan)},
	} {
		for _, i := range list {
			if got := leaseKey(i); got != want {
				t.Errorf("%+v: %s, want %s", i, got, want)
			}
		}
	}
}

func TestWhatAServerToldIsNotWrittenDown(t *testing.T) {
	t.Parallel()
	leased := []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")}
	by := route("10.5.0.0/16", "")
	by.Source = leased[0].Addr()
	for _, c := range []struct{ addresses, routes, kept, left string }{
		{"10.0.0.5/24", "0.0.0.0/0 10.0.0.1", "", ""},
		{"10.0.0.5/24", "0.0.0.0/0 192.0.2.1", "", ""},
		{"10.0.0.5/24 192.0.2.7/24", "0.0.0.0/0 192.0.2.1,10.8.0.0/16 10.0.0.8,10.9.0.0/16 ", "0.0.0.0/0 via 192.0.2.1 metric 0, 10.9.0.0/16 metric 0", "10.8.0.0/16 via 10.0.0.8 metric 0"},
		{"10.0.0.5/24 10.0.0.7/24", "0.0.0.0/0 10.0.0.1", "0.0.0.0/0 via 10.0.0.1 metric 0", ""},
	} {
		ip := &spec.InterfaceIP{DHCP: true, Routes: []spec.InterfaceRoute{by}}
		for a := range strings.FieldsSeq(c.addresses) {
			ip.Addresses = append(ip.Addresses, netip.MustParsePrefix(a))
		}
		for r := range strings.SplitSeq(c.routes, ",") {
			to, via, _ := strings.Cut(r, " ")
			ip.Routes = append(ip.Routes, route(to, via))
		}
		before := slices.Clone(ip.Addresses)
		got, left := withoutLease(spec.HostInterface{Name: "eth0", IPv4: ip}, leased)
		if text := routesText(got.IPv4.Routes); text != c.kept || routesText(left) != c.left || !got.IPv4.DHCP || slices.Contains(got.IPv4.Addresses, leased[0]) {
			t.Errorf("%+v: kept %s, left %s, %v", c, text, routesText(left), got.IPv4)
		}
		if !slices.Equal(before, ip.Addresses) {
			t.Error("the one that was told of changed")
		}
	}
}
