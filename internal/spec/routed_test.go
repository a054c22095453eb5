package spec

import (
	"fmt"
	"strings"
	"testing"
)

// routed is a Spec without problems that has an object of every kind.
func routed() *Spec {
	return &Spec{
		Networks: map[string]*Network{
			"lab":  {Mode: NAT, Subnets: []Subnet{{Address: prefix("10.0.0.1/24"), DHCP: &DHCP{}}}},
			"red":  {Mode: Isolated, RA: &RA{Interval: 60}, DNS: &DNS{Domain: "red.internal"}, Policy: StanceOutbound},
			"core": {Mode: Isolated},
			"lan":  {Mode: Bridge, Bridge: BridgeSettings{Name: "br0"}},
		},
		Bridges: map[string]*HostBridge{"br0": {Ports: []string{"eth0"}}},
		Ports:   map[string]*Port{"vm1": {Network: "red", MAC: mac("52:54:00:00:00:01")}},
		Routers: map[string]*Router{
			"r1": {
				Uplinks: map[string]*Uplink{
					"wan": {Bridge: "br0", Address: "192.0.2.5/24, 2001:db8::5/64", Gateway: "192.0.2.1, fe80::1"},
					"far": {NIC: "eth1", Address: "203.0.113.9/32", Gateway: "198.51.100.1", Metric: 50},
				},
				Interfaces: []Interface{
					{Network: "red", Address: "10.1.0.1/24, fd00:1::1/64", Egress: EgressSNAT, Uplink: "wan", KillSwitch: true,
						SNAT: &SNAT{Address: AddrRange{addr("192.0.2.8"), addr("192.0.2.9")}, Ports: PortRange{1024, 65535}},
						DHCP: &DHCP{Hosts: map[string]Reservation{"vm1": {MAC: mac("52:54:00:00:00:01"), IP: addr("10.1.0.20")}}}},
					{Network: "core", Address: "10.2.0.1/24", Egress: EgressRoute},
				},
				Routes: []RouterRoute{
					{To: prefix("10.3.0.0/24"), Via: addr("10.2.0.2")},
					{To: prefix("10.4.0.0/16"), Blackhole: true},
					{To: prefix("0.0.0.0/0"), Uplink: "far", Metric: 100},
				},
			},
			"r2": {
				Uplink:     &Uplink{Host: HostNAT, Address: "10.255.0.2/30", Gateway: "10.255.0.1"},
				Interfaces: []Interface{{Network: "core", Address: "10.2.0.2/24"}},
			},
			"r3": {
				Uplink:     &Uplink{Network: "lab", DHCP: true},
				Interfaces: []Interface{{Network: "own", Address: "10.1.0.1/24", Egress: EgressMasquerade}}, // as red, behind r1
			},
		},
		Forwards: map[string]*Forward{
			"web":  {Network: "lab", Listen: Listen{Ports: PortRange{80, 90}}, To: Target{Name: "vm2", Port: 8080}},
			"one":  {Network: "lab", Listen: Listen{addr("198.51.100.7"), PortRange{80, 80}}, To: Target{Addr: addr("10.0.0.9")}},
			"red":  {Network: "red", Listen: Listen{Ports: PortRange{80, 80}}, To: Target{Name: "vm1"}},
			"fip":  {Network: "red", Floating: addr("192.0.2.77"), To: Target{Name: "vm1"}},
			"fip6": {Network: "red", Floating: addr("2001:db8::77"), To: Target{Name: "vm1"}},
		},
		Policies: map[string]*Policy{
			"a": {From: "lab", To: "set/office, 10.9.0.0/16", Allow: []Traffic{{Protocol: TCP, Ports: "80, 443"}, {Protocol: ICMP}}},
			"b": {From: "any", To: "red/gateway, router/r1", Deny: []Traffic{{}}, Priority: 1},
			"c": {From: "red/guests", To: "outside", Reject: []Traffic{{Ports: "25"}}, Log: true},
		},
		Sets: map[string]*AddressSet{"office": {Addresses: "192.0.2.0/25, 2001:db8:5::/48"}},
	}
}

func TestRoutedSpecIsValid(t *testing.T) {
	t.Parallel()
	s := routed()
	s.Networks["own"] = &Network{Mode: Isolated}
	for _, when := range []string{"before", "after"} {
		for _, p := range s.Validate() {
			t.Errorf("%s Default: %s", when, p)
		}
		s.Default()
	}
}

// A file of one object is right by itself, apart from what refers to others.
func TestObjectsAloneHaveProblemsOfReferringOnly(t *testing.T) {
	t.Parallel()
	for ref, one := range routed().Each() {
		for _, p := range one.Validate() {
			if !p.Refers {
				t.Errorf("%v alone: %s", ref, p)
			}
		}
	}
}

// Whoever gets into the way of another is told of, and so is the other.
func TestClashesAreToldOnBothSides(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change func(*Spec)
		a, b   string
	}{
		"forwards": {func(s *Spec) {
			s.Forwards["more"] = &Forward{Network: "lab", Protocol: TCP, Listen: Listen{Ports: PortRange{90, 95}}, To: Target{Name: "x"}}
		}, "forwards.web.listen", "forwards.more.listen"},
		"floating": {func(s *Spec) {
			s.Forwards["more"] = &Forward{Network: "red", Floating: addr("192.0.2.77"), To: Target{Name: "x"}}
		}, "forwards.fip.floating", "forwards.more.floating"},
		"floating and uplink": {func(s *Spec) { s.Forwards["fip"].Floating = addr("192.0.2.5") }, "forwards.fip.floating", "routers.r1.uplinks.wan.address"},
		"subnets": {func(s *Spec) { s.Networks["red"].Subnets = []Subnet{{Address: prefix("10.1.0.9/16")}} },
			"networks.red.subnets[0].address", "routers.r1.interfaces[0].address"},
		"addresses": {func(s *Spec) { s.Routers["r2"].Interfaces[0].Address = "10.2.0.1/24" },
			"routers.r1.interfaces[1].address", "routers.r2.interfaces[0].address"},
		"DHCP": {func(s *Spec) {
			s.Routers["r1"].Interfaces[1].DHCP, s.Routers["r2"].Interfaces[0].DHCP = &DHCP{}, &DHCP{}
		}, "routers.r1.interfaces[1].dhcp", "routers.r2.interfaces[0].dhcp"},
		"host": {func(s *Spec) { s.Networks["lab"].Subnets[0].Address = prefix("10.255.0.9/24") },
			"networks.lab.subnets[0].address", "routers.r2.uplink.gateway"},
		"uplinks": {func(s *Spec) { s.Routers["r2"].Uplink = &Uplink{Network: "lan", Address: "192.0.2.5/24"} },
			"routers.r1.uplinks.wan.address", "routers.r2.uplink.address"},
		"MACs":  {func(s *Spec) { s.Routers["r1"].Interfaces[0].MAC = mac("52:54:00:00:00:01") }, "ports.vm1.mac", "routers.r1.interfaces[0].mac"},
		"names": {func(s *Spec) { s.Networks["lab"].Bridge.Name = "r1-eth0" }, "networks.lab.bridge.name", "routers.r1.interfaces[0].name"},
		"inside": {func(s *Spec) { s.Routers["r1"].Interfaces[1].Address = "10.1.0.129/25" },
			"routers.r1.interfaces[0].address", "routers.r1.interfaces[1].address"},
		"circle": {func(s *Spec) {
			s.Networks["back"] = &Network{Mode: Isolated}
			s.Routers["r1"].Uplinks["far"] = &Uplink{Network: "back", DHCP: true}
			s.Routers["r2"].Uplink = &Uplink{Network: "red", DHCP: true}
			s.Routers["r2"].Interfaces = append(s.Routers["r2"].Interfaces, Interface{Network: "back", Address: "10.6.0.1/24"})
		}, "routers.r1.uplinks.far.network", "routers.r2.uplink.network"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := routed()
			s.Networks["own"] = &Network{Mode: Isolated}
			c.change(s)
			found := map[string]bool{}
			for _, p := range s.Validate() {
				found[p.Path] = true
			}
			if !found[c.a] || !found[c.b] {
				t.Errorf("problems at %v, want %s and %s", found, c.a, c.b)
			}
		})
	}
}

// What a network is told of guests holds for the subnets of its router, too.
func TestServicesKnowTheRoutersSubnets(t *testing.T) {
	t.Parallel()
	s := routed()
	s.Networks["own"] = &Network{Mode: Isolated}
	s.Networks["red"].DNS.CNAMEs = map[string]string{"vm1": "x"}
	s.Networks["red"].DNS.Forwarders = []Resolver{resolver("10.1.0.1")}
	s.Ports["vm1"].Addresses = append(s.Ports["vm1"].Addresses, addr("10.1.0.21"), addr("10.7.0.1"))
	var got []string
	for _, p := range s.Validate() {
		got = append(got, p.Path+": "+p.Message)
	}
	want := strings.Join([]string{
		`networks.red.dns.cnames.vm1: "vm1" cannot be an alias, it has a reserved address`,
		`networks.red.dns.forwarders[0]: 10.1.0.1 is the network's own gateway, queries would run in a circle`,
		`ports.vm1.addresses[1]: 10.7.0.1 is in no subnet of the network (10.1.0.0/24, fd00:1::/64)`,
		`routers.r1.interfaces[0].dhcp.hosts.vm1.ip: 10.1.0.20 is not an address of port "vm1", whose MAC is 52:54:00:00:00:01`,
	}, "\n")
	if strings.Join(got, "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), want)
	}
}

func TestEmptyUplinksAndKindsOfJSONAreTold(t *testing.T) {
	t.Parallel()
	s := &Spec{Routers: map[string]*Router{"r1": {Uplinks: map[string]*Uplink{"wan": nil}}, "nil": nil},
		Forwards: map[string]*Forward{"nil": nil}, Policies: map[string]*Policy{"nil": nil}, Sets: map[string]*AddressSet{"nil": nil}}
	s.Default()
	want := "forwards.nil: the forward has no settings, policies.nil: the policy has no settings, routers.nil: the router has no settings, " +
		"routers.r1.uplinks.wan: the uplink has no settings, sets.nil: the set has no settings"
	var got []string
	for _, p := range s.Validate() {
		got = append(got, p.String())
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s", strings.Join(got, ", "))
	}
}

// The time to compare forwards with each other and routers with all others grows
// with their number, not with that of pairs.
func BenchmarkValidateManyForwardsAndRouters(b *testing.B) {
	s := &Spec{Networks: map[string]*Network{}, Routers: map[string]*Router{}, Forwards: map[string]*Forward{}}
	for i := range 1000 {
		network := fmt.Sprintf("n%d", i)
		s.Networks[network] = &Network{Mode: Isolated}
		s.Routers[fmt.Sprintf("r%d", i)] = &Router{
			Uplink:     &Uplink{Bridge: "br0", Address: Prefixes(fmt.Sprintf("10.%d.%d.9/16", 100+i/250, i%250)), Gateway: Addresses(fmt.Sprintf("10.%d.255.1", 100+i/250))},
			Interfaces: []Interface{{Network: network, Address: "192.168.0.1/24", Egress: EgressMasquerade}},
		}
	}
	for i := range 10000 {
		s.Forwards[fmt.Sprintf("f%d", i)] = &Forward{Network: "n7", Listen: Listen{Ports: PortRange{uint16(i + 1), uint16(i + 1)}}, To: Target{Name: "vm1"}}
	}
	for b.Loop() {
		if problems := s.Validate(); len(problems) > 0 {
			b.Fatal(problems[0])
		}
	}
}
