package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }

func mac(s string) MAC {
	m, err := ParseMAC(s)
	if err != nil {
		panic(err)
	}
	return m
}

func addrRange(s string) LeaseRange {
	r, err := ParseLeaseRange(s)
	if err != nil {
		panic(err)
	}
	return r
}

func resolver(s string) Resolver {
	r, err := ParseResolver(s)
	if err != nil {
		panic(err)
	}
	return r
}

// valid is a Spec without problems that the cases change in one place.
func valid() *Spec {
	return &Spec{
		Networks: map[string]*Network{
			"lab": {Mode: NAT, Subnets: []Subnet{
				{Address: prefix("10.0.0.1/24"), DHCP: &DHCP{
					Ranges: []LeaseRange{addrRange("10.0.0.10-10.0.0.99")},
					Hosts:  map[string]Reservation{"vm1": {MAC: mac("52:54:00:00:00:01"), IP: addr("10.0.0.20")}},
				}},
				{Address: prefix("fd00::1/64")},
			}, DNS: &DNS{Domain: "lab.internal"}},
			"lan": {Mode: Bridge, Bridge: BridgeSettings{Name: "br0"}},
		},
		Bridges: map[string]*HostBridge{
			"br0": {Ports: []string{"eth0"}, Addresses: []netip.Prefix{prefix("192.168.1.10/24")}, Gateway: []netip.Addr{addr("192.168.1.1")}},
		},
		Ports: map[string]*Port{
			"vm1": {Network: "lab", MAC: mac("52:54:00:00:00:01"), Addresses: []netip.Addr{addr("10.0.0.20")}},
			"vm2": {Network: "lan", Type: Veth},
		},
	}
}

// rule is a change of the valid Spec and the problems it makes, as lines.
type rule struct {
	change func(*Spec)
	want   string
}

func (r rule) check(t *testing.T) {
	t.Helper()
	s := valid()
	r.change(s)
	var lines []string
	for _, p := range s.Validate() {
		lines = append(lines, p.String())
	}
	if got := strings.Join(lines, "\n"); got != r.want {
		t.Errorf("got:\n%s\nwant:\n%s", got, r.want)
	}
	if len(lines) == 0 {
		s.Default()
		if problems := s.Validate(); problems != nil {
			t.Errorf("after Default: %v", problems)
		}
	}
}

func lab(change func(*Network)) func(*Spec) {
	return func(s *Spec) { change(s.Networks["lab"]) }
}

func subnet(i int, change func(*Subnet)) func(*Spec) {
	return func(s *Spec) { change(&s.Networks["lab"].Subnets[i]) }
}

func br0(change func(*HostBridge)) func(*Spec) { return func(s *Spec) { change(s.Bridges["br0"]) } }

func run(t *testing.T, rules map[string]rule) {
	t.Helper()
	for name, r := range rules {
		t.Run(name, func(t *testing.T) { t.Parallel(); r.check(t) })
	}
}

func TestWhatIsAllowed(t *testing.T) {
	t.Parallel()
	no := false
	run(t, map[string]rule{
		"nothing changed":          {change: func(*Spec) {}},
		"nothing at all":           {change: func(s *Spec) { *s = Spec{} }},
		"network address in a /31": {change: subnet(0, func(s *Subnet) { *s = Subnet{Address: prefix("10.0.0.21/31")} })},
		"a /127 for two routers":   {change: subnet(1, func(s *Subnet) { s.Address = prefix("fd00::/127") })},
		"a /32 without DHCP": {change: func(s *Spec) {
			s.Networks["lab"].Subnets[0] = Subnet{Address: prefix("10.0.0.19/32"), DHCP: &DHCP{Enabled: &no}}
			s.Ports["vm1"].Addresses = nil
		}},
		"isolated without subnet":       {change: func(s *Spec) { s.Networks["x"] = &Network{Mode: Isolated} }},
		"port where there is no subnet": {change: func(s *Spec) { s.Networks["x"] = &Network{Mode: Open}; s.Ports["vm2"].Network = "x" }},
		"reservation inside a range":    {change: subnet(0, func(s *Subnet) { s.DHCP.Ranges[0] = addrRange("10.0.0.2-10.0.0.254") })},
		"ranges side by side":           {change: subnet(0, func(s *Subnet) { s.DHCP.Ranges = append(s.DHCP.Ranges, addrRange("10.0.0.100-10.0.0.254")) })},
		"infinite leases":               {change: subnet(0, func(s *Subnet) { s.DHCP.LeaseTime = Infinite })},
		"STP with a delay":              {change: lab(func(n *Network) { n.Bridge.STP, n.Bridge.ForwardDelay = true, 2 })},
		"smallest MTU with IPv6":        {change: lab(func(n *Network) { n.Bridge.MTU = 1280 })},
		"blocked name, local resolver": {change: lab(func(n *Network) {
			n.DNS.Hosts = map[string]Addresses{"x_y.lab": "::"}
			n.DNS.Forwarders = []Resolver{resolver("127.0.0.53")}
		})},
		"network in bridge mode twice": {change: func(s *Spec) { s.Networks["lan2"] = &Network{Mode: Bridge, Bridge: BridgeSettings{Name: "br0"}} }},
		"bridge that is not declared":  {change: func(s *Spec) { s.Networks["lan"].Bridge.Name = "br1" }},
		"link-local IPv6 gateway":      {change: br0(func(b *HostBridge) { b.Gateway = append(b.Gateway, addr("fe80::1")) })},
		"two addresses in one LAN":     {change: br0(func(b *HostBridge) { b.Addresses = append(b.Addresses, prefix("192.168.1.11/24")) })},
		"two bridges in one LAN":       {change: func(s *Spec) { s.Bridges["br1"] = &HostBridge{Addresses: []netip.Prefix{prefix("192.168.1.12/24")}} }},
		"LAN address of a guest":       {change: func(s *Spec) { s.Ports["vm2"].Addresses = []netip.Addr{addr("192.168.1.50")} }},
		"uplink is a host bridge":      {change: lab(func(n *Network) { n.Uplink = "br0" })},
		"host route behind a guest": {change: lab(func(n *Network) {
			n.Routes = []StaticRoute{{To: prefix("10.5.0.0/16"), Via: addr("10.0.0.20")}, {To: prefix("10.5.0.0/16"), Via: addr("10.0.0.21"), Metric: 5}}
		})},
	})
}

func TestNetworkRules(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"nil objects": {func(s *Spec) {
			*s = Spec{Networks: map[string]*Network{"a": nil}, Bridges: map[string]*HostBridge{"b": nil}, Ports: map[string]*Port{"c": nil}}
		},
			"bridges.b: the bridge has no settings\nnetworks.a: the network has no settings\nports.c: the port has no settings"},
		"mode with a typing mistake": {lab(func(n *Network) { n.Mode = "isolatde" }),
			`networks.lab.mode: "isolatde" is not a mode (did you mean isolated?)`},
		"label": {lab(func(n *Network) { n.Labels = map[string]string{"a\nb": "", "": "x"} }),
			"networks.lab.labels: a label needs a name\n" +
				`networks.lab.labels["a\nb"]: the text must be one line without control characters, it contains '\n'`},
		"text that is not UTF-8": {lab(func(n *Network) { n.Title = "\xff" }),
			"networks.lab.title: the text is not UTF-8 (use description for longer text)"},
		"MTU too small for IPv6": {lab(func(n *Network) { n.Bridge.MTU = 1279 }),
			"networks.lab.bridge.mtu: the MTU 1279 is too small for IPv6 (IPv6 needs links of 1280 bytes (RFC 8200 section 5))"},
		"endless forward delay": {lab(func(n *Network) { n.Bridge.STP, n.Bridge.ForwardDelay = true, Infinite }),
			"networks.lab.bridge.forwardDelay: the forward delay infinite is outside 2s to 30s"},
		"multicast MAC": {lab(func(n *Network) { n.Bridge.MAC = mac("01:00:5e:00:00:01") }),
			"networks.lab.bridge.mac: 01:00:5e:00:00:01 is a multicast address, a bridge needs a unicast one (clear the lowest bit of the first byte)"},
		"localOnly without domain": {lab(func(n *Network) { n.DNS = &DNS{LocalOnly: true} }),
			"networks.lab.dns.localOnly: localOnly needs a domain that is local (add domain)"},
	})
}

func TestSubnetRules(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"missing": {subnet(1, func(s *Subnet) { s.Address = netip.Prefix{} }),
			"networks.lab.subnets[1].address: the address is missing (write the gateway's address and prefix length, for instance 192.168.100.1/24)"},
		"zero network": {subnet(1, func(s *Subnet) { s.Address = prefix("0.1.0.1/16") }),
			"networks.lab.subnets[1].address: 0.1.0.1 lies in 0.0.0.0/8, which no host may use"},
		"broadcast": {subnet(1, func(s *Subnet) { s.Address = prefix("255.255.255.255/8") }),
			"networks.lab.subnets[1].address: 255.255.255.255 is the limited broadcast address"},
		"equal prefixes": {subnet(1, func(s *Subnet) { s.Address = prefix("10.0.0.2/24") }),
			"networks.lab.subnets[0].address: 10.0.0.1/24 overlaps 10.0.0.2/24 of the same network (give one of them another prefix)\n" +
				"networks.lab.subnets[1].address: 10.0.0.2/24 overlaps 10.0.0.1/24 of the same network (give one of them another prefix)"},
		"range without addresses": {subnet(0, func(s *Subnet) { s.DHCP.Ranges[0] = LeaseRange{} }),
			"networks.lab.subnets[0].dhcp.ranges[0]: the range is missing an address"},
		"range out of order": {subnet(0, func(s *Subnet) { s.DHCP.Ranges[0].AddrRange = AddrRange{addr("10.0.0.9"), addr("10.0.0.8")} }),
			"networks.lab.subnets[0].dhcp.ranges[0]: the range 10.0.0.9-10.0.0.8 is not in order"},
		"range in a range": {subnet(0, func(s *Subnet) {
			s.DHCP.Ranges = []LeaseRange{addrRange("10.0.0.10-10.0.0.90"), addrRange("10.0.0.20"), addrRange("10.0.0.80-10.0.0.95")}
		}), "networks.lab.subnets[0].dhcp.ranges[1]: 10.0.0.20-10.0.0.20 overlaps 10.0.0.10-10.0.0.90\n" +
			"networks.lab.subnets[0].dhcp.ranges[2]: 10.0.0.80-10.0.0.95 overlaps 10.0.0.10-10.0.0.90"},
		"lease time": {subnet(0, func(s *Subnet) { s.DHCP.LeaseTime = -2 }),
			"networks.lab.subnets[0].dhcp.leaseTime: the lease time -2s is outside 1s to 4294967294s (write infinite for a lease without end)"},
		"reservation of nothing": {subnet(0, func(s *Subnet) { s.DHCP.Hosts = map[string]Reservation{"x": {}} }),
			"networks.lab.subnets[0].dhcp.hosts.x.ip: the address is missing"},
		"route with a zone": {lab(func(n *Network) { n.Routes = []StaticRoute{{To: prefix("fd01::/64"), Via: addr("fd00::2%eth0")}} }),
			"networks.lab.routes[0].via: fd00::2%eth0 has a zone, write fd00::2"},
		"same route in two networks": {func(s *Spec) {
			r := []StaticRoute{{To: prefix("10.5.0.0/16"), Via: addr("10.0.0.20")}}
			s.Networks["lab"].Routes = r
			s.Networks["red"] = &Network{Mode: Isolated, Subnets: []Subnet{{Address: prefix("10.1.0.1/24")}}, Routes: []StaticRoute{{To: r[0].To, Via: addr("10.1.0.2")}}}
		}, "networks.lab.routes[0].to: network \"red\" has a route to 10.5.0.0/16 with the same metric (give one of them another metric)\n" +
			"networks.red.routes[0].to: network \"lab\" has a route to 10.5.0.0/16 with the same metric (give one of them another metric)"},
		"multicast route": {lab(func(n *Network) { n.Routes = []StaticRoute{{To: prefix("224.0.0.0/4"), Via: addr("10.0.0.2")}} }),
			"networks.lab.routes[0].to: 224.0.0.0/4 is not a prefix that hosts can have"},
		"default route": {lab(func(n *Network) { n.Routes = []StaticRoute{{To: prefix("0.0.0.0/0"), Via: addr("10.0.0.2")}} }),
			"networks.lab.routes[0].to: 0.0.0.0/0 overlaps the network's own subnet 10.0.0.0/24"},
	})
}

func TestPortAndBridgeRules(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"network mistyped": {func(s *Spec) { s.Ports["vm2"].Network = "lna" },
			`ports.vm2.network: there is no network "lna" (did you mean lan?)`},
		"broadcast address": {func(s *Spec) { s.Ports["vm1"].Addresses = []netip.Addr{addr("10.0.0.255")} },
			"networks.lab.subnets[0].dhcp.hosts.vm1.ip: 10.0.0.20 is not an address of port \"vm1\", whose MAC is 52:54:00:00:00:01 (reserve the address the port has)\n" +
				"ports.vm1.addresses[0]: 10.0.0.255 is the broadcast address of 10.0.0.0/24"},
		"taken MAC": {func(s *Spec) { s.Ports["vm2"].MAC = s.Ports["vm1"].MAC },
			"ports.vm1.mac: the MAC 52:54:00:00:00:01 is also used by port \"vm2\"\n" +
				"ports.vm2.mac: the MAC 52:54:00:00:00:01 is also used by port \"vm1\""},
		"interface is the peer": {func(s *Spec) { s.Ports["vm2"].Interface, s.Ports["vm2"].Peer = "x", "x" },
			"ports.vm2.interface: the interface name \"x\" is also used by port \"vm2\"\n" +
				"ports.vm2.peer: the interface name \"x\" is also used by port \"vm2\""},
		"bridge of a network as a port": {func(s *Spec) { s.Networks["lab"].Bridge.Name = "eth0" },
			"bridges.br0.ports[0]: the interface name \"eth0\" is also used by network \"lab\"\n" +
				"networks.lab.bridge.name: the interface name \"eth0\" is also used by bridge \"br0\""},
		"gateway elsewhere": {br0(func(b *HostBridge) { b.Gateway[0] = addr("192.168.2.1") }),
			"bridges.br0.gateway[0]: 192.168.2.1 is in no subnet of the bridge's addresses"},
		"gateway twice": {br0(func(b *HostBridge) { b.Gateway = append(b.Gateway, addr("192.168.1.2")) }),
			"bridges.br0.gateway[1]: there is already an IPv4 gateway (remove one)"},
		"every address": {br0(func(b *HostBridge) { b.Addresses[0] = prefix("192.168.1.10/0") }),
			"bridges.br0.addresses[0]: 192.168.1.10/0 is every address, not a subnet"},
		"too many ports, addresses and subnets": {func(s *Spec) {
			s.Bridges["br0"].Ports = make([]string, 1025)
			s.Ports["vm1"].Addresses = make([]netip.Addr, 257)
			s.Networks["lab"].Subnets = make([]Subnet, 257)
		}, "bridges.br0.ports: the list has 1025 elements, at most 1024 are allowed\n" +
			"networks.lab.subnets: the list has 257 elements, at most 256 are allowed\n" +
			"ports.vm1.addresses: the list has 257 elements, at most 256 are allowed"},
		"itself as a port": {br0(func(b *HostBridge) { b.Ports = []string{"br0"} }),
			"bridges.br0.ports[0]: a bridge cannot be a port of itself"},
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 64)
	cases := []struct {
		what      string
		check     func(string) error
		good, bad []string
	}{
		{"interface", CheckInterfaceName, []string{"a", "br0.10", "vm@1", "fifteen-letters"}, []string{"", ".", "..", "lo", "all", "default", "sixteen--letters", "a/b", "a:b", "a b", "a\tb", "é", "a%d", "a*", "-a", `a"b`}},
		{"object", CheckName, []string{"a", "0", "lab.1_x-y,z", strings.Repeat("a", 50)}, []string{"", "-a", ".a", "a b", "é", "a/b", strings.Repeat("a", 51)}},
		{"host", CheckHostName, []string{"a", "vm_1.lab", "1.2.3.4", long[:63]}, []string{"", ".", "a.", "a..b", "-a", "a-", "a b", "é", long, strings.Repeat("aaa.", 64) + "a"}},
		{"UUID", checkUUID, []string{"3e3fce45-4f53-4fa7-bb32-11f34168b82b"}, []string{"", "3e3fce454f534fa7bb3211f34168b82b", "3e3fce45-4f53-4fa7-bb32-11f34168b82", "3e3fce45-4f53-4fa7-bb32-11f34168b82g"}},
		{"line", checkLine, []string{"", "Grüße, 世界"}, []string{"a\nb", "a\x1bb", "a\u2028b", "a\x85", "\xff"}},
	}
	for _, c := range cases {
		for _, s := range c.good {
			if err := c.check(s); err != nil {
				t.Errorf("%s name %q: %v", c.what, s, err)
			}
		}
		for _, s := range c.bad {
			if c.check(s) == nil {
				t.Errorf("%s name %q is accepted", c.what, s)
			}
		}
	}
}

// many is a Spec with as many networks and ports as a large host has.
func many(n int) *Spec {
	s := &Spec{Networks: map[string]*Network{}, Ports: map[string]*Port{}}
	for i := range n {
		name := fmt.Sprintf("net%04d", i)
		gateway := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 24)
		s.Networks[name] = &Network{Mode: NAT, Subnets: []Subnet{{Address: gateway, DHCP: &DHCP{}}}}
		s.Ports["vm-"+name] = &Port{Network: name}
	}
	return s
}

func TestManyNetworksAreValid(t *testing.T) {
	t.Parallel()
	s := many(1000)
	s.Default()
	if problems := s.Validate(); problems != nil {
		t.Fatal(problems)
	}
	s.Networks["net0500"].Subnets[0].Address = prefix("10.1.0.1/22")
	var paths []string
	for _, p := range s.Validate() {
		paths = append(paths, p.Path)
	}
	// 10.1.0.0/22 now holds net0256 to net0259.
	want := []string{"networks.net0256.subnets[0].address", "networks.net0257.subnets[0].address", "networks.net0258.subnets[0].address",
		"networks.net0259.subnets[0].address", "networks.net0500.subnets[0].address"}
	if !slices.Equal(paths, want) {
		t.Errorf("got %v", paths)
	}
}

func BenchmarkDefaultAndValidate1000Networks(b *testing.B) {
	for b.Loop() {
		s := many(1000)
		s.Default()
		if problems := s.Validate(); problems != nil {
			b.Fatal(problems)
		}
	}
}
