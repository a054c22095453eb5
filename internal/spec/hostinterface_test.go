package spec

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var hostInterfaceValues = cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

// aNIC is an interface with something of everything.
func aNIC() HostInterface {
	no := false
	return HostInterface{Name: "eth0", MAC: MAC{0x52, 0x54, 0, 1, 2, 3}, MTU: 9000, Start: StartHotplug,
		IPv4: &InterfaceIP{DHCP: true, PeerDNS: &no, Addresses: []netip.Prefix{prefix("192.0.2.7/24"), prefix("198.51.100.1/31"), prefix("10.0.0.5/32")},
			Routes: []InterfaceRoute{{To: prefix("0.0.0.0/0"), Via: addr("192.0.2.1")}, {To: prefix("10.9.0.0/16"), Metric: 7, Source: addr("10.0.0.5")}},
			DNS:    []netip.Addr{addr("127.0.0.53")}, Search: []string{"example.org", "."}},
		IPv6: &InterfaceIP{Autoconf: true, Addresses: []netip.Prefix{prefix("2001:db8::7/64")},
			Routes: []InterfaceRoute{{To: prefix("::/0"), Via: addr("fe80::1")}, {To: prefix("::/0"), Via: addr("2001:db8:1::1"), OnLink: true, Metric: 5}}}}
}

func TestSoundHostInterfacesHaveNoProblem(t *testing.T) {
	t.Parallel()
	bond := HostInterface{Name: "bond0", Bond: &BondDetails{Mode: "802.3ad", MII: &BondMII{Every: 100, Carrier: "netif"}, Ports: []HostInterface{{Name: "eth1"}, {Name: "eth2"}}}}
	for name, i := range map[string]HostInterface{
		"plain":          {Name: "eth0"},
		"full":           aNIC(),
		"a bridge":       aNIC().Bridged("br0", true, 4),
		"an empty one":   {Name: "br0", Type: BridgeInterface},
		"a bond":         bond,
		"a bridged bond": bond.Bridged("br0", false, 0),
		"an asking bond": {Name: "bond0", Bond: &BondDetails{Mode: "active-backup", ARP: &BondARP{Every: 50, Target: addr("192.0.2.1"), Validate: "all"}, Ports: []HostInterface{{Name: "e"}}}},
		"a VLAN":         {VLAN: &VLANDetails{Tag: 4094, On: "bond0"}},
		"a bridged VLAN": HostInterface{Name: "v", VLAN: &VLANDetails{Tag: 1, On: "bond0"}}.Bridged("br0", false, 0),
	} {
		if problems := i.Validate(); problems != nil {
			t.Errorf("%s: %v", name, problems)
		}
		i.Default()
		if problems := i.Validate(); problems != nil {
			t.Errorf("%s after Default: %v", name, problems)
		}
		once := i.Clone()
		if i.Default(); !cmp.Equal(once, i, hostInterfaceValues) {
			t.Errorf("%s: Default changes what it made: %s", name, cmp.Diff(once, i, hostInterfaceValues))
		}
	}
}

func TestFaultsOfHostInterfacesAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	with := func(change func(*HostInterface)) HostInterface { i := aNIC(); change(&i); return i }
	bond := func(b BondDetails) HostInterface {
		b.Ports = []HostInterface{{Name: "eth1"}}
		return HostInterface{Name: "bond0", Bond: &b}
	}
	for _, c := range []struct {
		of   HostInterface
		want string
	}{
		{HostInterface{}, "name: an interface name cannot be empty"},
		{HostInterface{Name: "a/b", Type: "wifi", Start: "now", MTU: 5}, `mtu: the MTU 5 is outside 68 to 65535
name: "a/b" cannot name an interface because of '/'
start: "now" does not tell when it comes up (the words are onboot, hotplug or none)
type: "wifi" is no type of an interface (the types are ethernet, bridge, bond or vlan)`},
		{with(func(i *HostInterface) { i.MTU = 1000 }), "mtu: the MTU 1000 is too small for IPv6 (IPv6 needs links of 1280 bytes (RFC 8200 section 5))"},
		{with(func(i *HostInterface) { i.MAC[0] = 1 }), "mac: 01:54:00:01:02:03 is a multicast address, an interface needs a unicast one (clear the lowest bit of the first byte)"},
		{with(func(i *HostInterface) { i.Bridge = &BridgeDetails{}; i.Type = EthernetInterface }), "bridge: an interface of type ethernet has no bridge (write type: bridge, or remove it)"},
		{HostInterface{Name: "x", Type: BondInterface}, "bond: an interface of type bond needs it"},
		{HostInterface{Name: "x", Type: VLANInterface}, "vlan: an interface of type vlan needs it"},
		{HostInterface{Name: "br0", Bridge: &BridgeDetails{Delay: 31, Ports: []HostInterface{{Name: "br0"}, {Name: "e", Start: StartNone, IPv4: &InterfaceIP{}}, {Name: "e"}, {Name: "b", Type: BridgeInterface}, {Name: "s", Type: "x"}}}},
			`bridge.delay: the forward delay 31s is outside 0s to 30s
bridge.ports[0].name: br0 cannot be a port of itself
bridge.ports[1].ipv4: a port has none of its own (remove it, or write it at the interface that has the port)
bridge.ports[1].start: a port has none of its own (remove it, or write it at the interface that has the port)
bridge.ports[2].name: "e" is listed twice (remove it)
bridge.ports[3].type: a port of a bridge cannot be of type bridge (the types are ethernet, bond or vlan)
bridge.ports[4].type: "x" is no type of an interface (the types are ethernet, bridge, bond or vlan)`},
		{HostInterface{Name: "bond0", Bond: &BondDetails{Mode: "active_backup"}}, `bond.mode: "active_backup" is no mode of a bond (did you mean active-backup?)
bond.ports: a bond needs a port (name the interfaces that it joins)`},
		{bond(BondDetails{Mode: "802.3ad", MII: &BondMII{Every: -1, Carrier: "x"}, ARP: &BondARP{Validate: "y", Target: addr("::1")}}),
			`bond.arp: a bond of mode 802.3ad cannot watch its ports by arp (write mii: {every: 100})
bond.arp: a bond watches its ports by mii or by arp, not by both (remove one of them)
bond.arp.target: ::1 is a loopback address
bond.arp.validate: "y" is not known (the words are none, active, backup or all)
bond.mii.carrier: "x" is not known (the words are netif or ioctl)
bond.mii.every: -1 is no number of milliseconds`},
		{bond(BondDetails{ARP: &BondARP{Target: addr("2001:db8::1")}}), "bond.arp.target: 2001:db8::1 is IPv6, and ARP asks for IPv4 addresses"},
		{HostInterface{Name: "v", VLAN: &VLANDetails{Tag: 4095, On: "v"}}, "vlan.on: a VLAN cannot be on itself\nvlan.tag: the VLAN 4095 is outside 1 to 4094"},
		{with(func(i *HostInterface) {
			i.IPv4 = &InterfaceIP{Autoconf: true, PeerDNS: new(bool), Addresses: []netip.Prefix{prefix("2001:db8::1/64"), prefix("192.0.2.0/24"), prefix("192.0.2.9/24"), prefix("192.0.2.9/25"), {}},
				DNS: []netip.Addr{addr("2001:db8::1"), addr("192.0.2.1"), addr("192.0.2.1")}, Search: []string{"a b"}}
			i.IPv6 = nil
		}), `ipv4.addresses[0]: 2001:db8::1 is IPv6 (write it below ipv6)
ipv4.addresses[1]: 192.0.2.0 is the network address of 192.0.2.0/24
ipv4.addresses[3]: 192.0.2.9 is listed twice (remove it)
ipv4.addresses[4]: the address is missing
ipv4.autoconf: addresses by router advertisements are of IPv6 (write it below ipv6)
ipv4.dns[0]: 2001:db8::1 is IPv6 (write it below ipv6)
ipv4.dns[2]: 192.0.2.1 is listed twice (remove it)
ipv4.peerDNS: without DHCP nobody tells resolvers (add dhcp: true, or remove it)
ipv4.search[0]: "a b" is not a host name: letters, digits, dashes and dots are allowed`},
		{HostInterface{Name: "e", IPv4: &InterfaceIP{Addresses: []netip.Prefix{prefix("192.0.2.7/24")}, Routes: []InterfaceRoute{
			{}, {To: prefix("::/0")}, {To: prefix("10.0.0.1/8")}, {To: prefix("10.0.0.0/8"), Via: addr("10.0.0.1")}, {To: prefix("10.0.0.0/8"), OnLink: true, Metric: -1, Source: addr("::2")},
			{To: prefix("10.0.0.0/8"), Via: addr("192.0.2.1")}, {To: prefix("10.1.0.0/16"), Via: addr("2001:db8::1"), Metric: 1 << 32}, {To: prefix("10.2.0.0/16"), Via: addr("10.0.0.1"), OnLink: true}}}},
			`ipv4.routes[0].to: the route leads nowhere (write a prefix, for the default route 0.0.0.0/0)
ipv4.routes[1].to: :: is IPv6 (write it below ipv6)
ipv4.routes[2].to: 10.0.0.1 is not the first address of its prefix (write 10.0.0.0/8)
ipv4.routes[3].via: the gateway 10.0.0.1 is in the subnet of no address of the interface (write onLink: true if it is on the link nevertheless)
ipv4.routes[4].metric: the metric -1 is outside 0 to 4294967295
ipv4.routes[4].onLink: there is no gateway that could be on the link (add via, or remove it)
ipv4.routes[4].source: ::2 is IPv6 (write it below ipv6)
ipv4.routes[5]: there are two routes to 10.0.0.0/8 with the same metric (give one of them another metric)
ipv4.routes[6].metric: the metric 4294967296 is outside 0 to 4294967295
ipv4.routes[6].via: 2001:db8::1 is IPv6 (write it below ipv6)`},
	} {
		var got []string
		for _, p := range c.of.Validate() {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%+v:\n%s", c.of, diff)
		}
	}
}

func TestAnInterfaceComesBackFromItsBridgeAsItWas(t *testing.T) {
	t.Parallel()
	for _, i := range []HostInterface{aNIC(), {Name: "bond0", Start: StartNone, Bond: &BondDetails{Ports: []HostInterface{{Name: "eth1"}}}}, {Name: "v", MTU: 1400, VLAN: &VLANDetails{Tag: 5, On: "eth0"}}} {
		b := i.Bridged("br0", true, 3)
		if p := b.Bridge.Ports[0]; p.IPv4 != nil || p.IPv6 != nil || p.Start != "" || p.MAC != i.MAC || b.MAC != (MAC{}) || b.MTU != i.MTU {
			t.Errorf("bridged: %+v", b)
		}
		back, err := b.Unbridged()
		if diff := cmp.Diff(i, back, hostInterfaceValues); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	}
}

func TestOnlyABridgeOfOnePortIsUnbridged(t *testing.T) {
	t.Parallel()
	two := HostInterface{Name: "br0", Type: BridgeInterface, Bridge: &BridgeDetails{Ports: []HostInterface{{Name: "a"}, {Name: "b"}}}}
	for want, i := range map[string]HostInterface{
		"eth0 is no bridge":                                       {Name: "eth0", Type: EthernetInterface},
		"br0 has no port that could take its addresses":           {Name: "br0", Type: BridgeInterface, Bridge: &BridgeDetails{}},
		"br0 has several ports, and its addresses go to one only": two,
	} {
		if _, err := i.Unbridged(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v", i, err)
		}
	}
	if got := two.Names(); !cmp.Equal(got, []string{"br0", "a", "b"}) {
		t.Errorf("names %v", got)
	}
}
