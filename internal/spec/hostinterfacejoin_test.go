package spec

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addressList(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

// joins are what a bridge and an interface have, and what becomes of it.
var joins = map[string]struct {
	bridge, port, want *InterfaceIP
	faults             string
}{
	"nothing":      {},
	"the port's":   {nil, &InterfaceIP{DHCP: true}, &InterfaceIP{DHCP: true}, ""},
	"the bridge's": {&InterfaceIP{Autoconf: true}, nil, &InterfaceIP{Autoconf: true}, ""},
	"both": {
		&InterfaceIP{Addresses: prefixList("10.0.0.1/24"), DNS: addressList("10.0.0.53"), Search: []string{"a", "b"}, Routes: []InterfaceRoute{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9")}}},
		&InterfaceIP{DHCP: true, PeerDNS: new(false), Addresses: prefixList("192.0.2.7/24", "10.0.0.1/24"), DNS: addressList("192.0.2.53", "10.0.0.53"), Search: []string{"b", "c"},
			Routes: []InterfaceRoute{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9")}, {To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9"), Metric: 5}}},
		&InterfaceIP{DHCP: true, PeerDNS: new(false), Addresses: prefixList("10.0.0.1/24", "192.0.2.7/24"), DNS: addressList("10.0.0.53", "192.0.2.53"), Search: []string{"a", "b", "c"},
			Routes: []InterfaceRoute{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9")}, {To: netip.MustParsePrefix("10.9.0.0/16"), Via: netip.MustParseAddr("10.0.0.9"), Metric: 5}}}, "",
	},
	"two default routes": {
		&InterfaceIP{Routes: []InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}}},
		&InterfaceIP{Routes: []InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1")}}},
		&InterfaceIP{Routes: []InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("10.0.0.1")}, {To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1")}}}, "routes to 0.0.0.0/0",
	},
	"resolvers by DHCP, or not": {&InterfaceIP{DHCP: true}, &InterfaceIP{DHCP: true, PeerDNS: new(false)}, &InterfaceIP{DHCP: true, PeerDNS: new(false)}, "peerDNS"},
	"resolvers by DHCP in both": {&InterfaceIP{DHCP: true}, &InterfaceIP{DHCP: true, PeerDNS: new(true)}, &InterfaceIP{DHCP: true, PeerDNS: new(true)}, ""},
}

func TestAnInterfaceJoinsABridgeThatKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	for name, c := range joins {
		bridge := HostInterface{Name: "br0", Type: BridgeInterface, MTU: 1400, IPv4: c.bridge, IPv6: c.bridge, Bridge: &BridgeDetails{STP: true, Ports: []HostInterface{{Name: "eth1"}}}}
		port := HostInterface{Name: "eth0", Start: StartHotplug, MTU: 9000, IPv4: c.port, IPv6: c.port}
		was := cmp.Diff(HostInterface{}, bridge, hostInterfaceValues)
		got, faults := bridge.Joined(port)
		want := HostInterface{Name: "br0", Type: BridgeInterface, MTU: 1400, IPv4: c.want, IPv6: c.want, Bridge: &BridgeDetails{STP: true, Ports: []HostInterface{{Name: "eth1"}, {Name: "eth0", MTU: 9000}}}}
		if d := cmp.Diff(want, got, hostInterfaceValues); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		told := ""
		if c.faults != "" {
			told = "ipv4." + c.faults + " ipv6." + c.faults
		}
		if strings.Join(faults, " ") != told {
			t.Errorf("%s: contradictions %q, want %q", name, faults, told)
		}
		if now := cmp.Diff(HostInterface{}, bridge, hostInterfaceValues); now != was {
			t.Errorf("%s: the bridge itself was changed:\n%s", name, now)
		}
	}
}

// TestTheMTUOfAPortIsTheBridgesWhenItIsItsFirst holds who decides.
func TestTheMTUOfAPortIsTheBridgesWhenItIsItsFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bridge HostInterface
		want   int
	}{
		{HostInterface{Name: "br0", Type: BridgeInterface}, 9000},
		{HostInterface{Name: "br0", Type: BridgeInterface, MTU: 1400}, 1400},
		{HostInterface{Name: "br0", Type: BridgeInterface, Bridge: &BridgeDetails{Ports: []HostInterface{{Name: "eth1"}}}}, 0},
	} {
		if got, _ := c.bridge.Joined(HostInterface{Name: "eth0", MTU: 9000}); got.MTU != c.want || got.Bridge.Ports[len(got.Bridge.Ports)-1].MTU != 9000 {
			t.Errorf("%+v: %+v", c.bridge, got)
		}
	}
}
