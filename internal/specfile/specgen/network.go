package specgen

import (
	"fmt"
	"net/netip"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

// Network draws a network as people could have written it. Now and then it breaks a
// rule, which the caller has to see to.
func Network(t *rapid.T) *spec.Network {
	n := &spec.Network{
		Title: line().Draw(t, "title"), Description: anyText().Draw(t, "description"), Labels: rapid.MapOfN(word(), line(), 0, 2).Draw(t, "labels"),
		UUID: rapid.SampledFrom([]string{"", "3e3fce45-4f53-4fa7-bb32-11f34168b82b"}).Draw(t, "uuid"),
		Mode: rapid.SampledFrom(spec.Modes).Draw(t, "mode"), OnDemand: rapid.Bool().Draw(t, "onDemand"),
		Isolated: rapid.Bool().Draw(t, "isolated"),
		Access:   rapid.SampledFrom([][]spec.Access{nil, {{User: "alice", Ports: 5, Guards: []spec.Guard{"mac, tag", spec.GuardStrict}}, {Group: "1000"}}}).Draw(t, "access"),
	}
	if n.Mode == spec.Bridge {
		onHost(t, n)
		return n
	}
	guards(t, n)
	n.Bridge = bridge(t)
	n.Subnets = subnets(t)
	n.Routes = routes(t, n.Subnets)
	n.DNS = rapid.Ptr(rapid.Custom(dnsSettings), true).Draw(t, "dns")
	n.DHCP = rapid.Ptr(rapid.Custom(networkDHCP), true).Draw(t, "dhcp")
	n.RA = rapid.Ptr(rapid.Custom(advertisements), true).Draw(t, "ra")
	n.Bandwidth = anyBandwidth().Draw(t, "bandwidth")
	n.Connections = rapid.IntRange(0, 3).Draw(t, "connections")
	n.Policy = rapid.SampledFrom([]spec.Stance{"", "", spec.StanceIsolated, spec.StanceOutbound}).Draw(t, "policy")
	if n.Mode == spec.NAT {
		n.NAT = rapid.Ptr(rapid.Custom(nat), true).Draw(t, "nat")
	}
	if n.Mode != spec.Isolated && n.Mode != spec.Open {
		n.Uplink = rapid.SampledFrom([]string{"", "", "eth0"}).Draw(t, "uplink")
	}
	return n
}

func onHost(t *rapid.T, n *spec.Network) {
	if rapid.Bool().Draw(t, "direct") {
		n.Direct = &spec.Direct{
			Mode:    rapid.SampledFrom([]spec.DirectMode{"", spec.DirectBridge, spec.DirectVEPA, spec.DirectPrivate, spec.DirectPassthrough}).Draw(t, "mode"),
			Devices: rapid.SampledFrom([][]string{{"eth1"}, {"eth2", "eth1"}}).Draw(t, "devices"),
		}
		return
	}
	n.Bridge.Name = "br0"
	guards(t, n)
}

func guards(t *rapid.T, n *spec.Network) {
	n.Guard = rapid.SampledFrom([]spec.Guard{"", "", spec.GuardOff, spec.GuardStrict, "mac, address", "storm"}).Draw(t, "guard")
	n.Storm = rapid.SampledFrom([]*spec.Storm{nil, {Broadcast: 7}, {Broadcast: 1, Multicast: 1_000_000}}).Draw(t, "storm")
}

func word() *rapid.Generator[string] { return rapid.StringMatching(`[a-z][a-z0-9-]{0,4}[a-z0-9]`) }

// line is one line of text.
func line() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom([]string{"", "lab", "a <b> & 'c' \"d\"", " é "}), word())
}

func bridge(t *rapid.T) spec.BridgeSettings {
	b := spec.BridgeSettings{
		Name: rapid.SampledFrom([]string{"", "virbr0", "lab0"}).Draw(t, "bridge"), MTU: rapid.SampledFrom([]int{0, 1400, 9000}).Draw(t, "mtu"),
		STP: rapid.Bool().Draw(t, "stp"),
	}
	if rapid.Bool().Draw(t, "has mac") {
		b.MAC = guestMAC().Draw(t, "mac")
	}
	if b.STP {
		b.ForwardDelay = rapid.SampledFrom([]spec.Seconds{0, 2, 15, 30}).Draw(t, "delay")
	}
	return b
}

func guestMAC() *rapid.Generator[spec.MAC] {
	return rapid.Map(rapid.IntRange(0, 5), func(i int) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, 0, byte(i)} })
}

func nat(t *rapid.T) spec.NATSettings {
	return spec.NATSettings{
		IPv6: anyBool().Draw(t, "ipv6"),
		Address: rapid.SampledFrom([]spec.AddrRange{{}, {From: netip.MustParseAddr("192.0.2.1"), To: netip.MustParseAddr("192.0.2.9")},
			{From: netip.MustParseAddr("192.0.2.7"), To: netip.MustParseAddr("192.0.2.7")}}).Draw(t, "source"),
		Ports: rapid.SampledFrom([]spec.PortRange{{}, {From: 1024, To: 65535}, {From: 1, To: 65535}, {From: 2000, To: 2000}, {From: 5000, To: 6000}}).Draw(t, "ports"),
	}
}

func subnets(t *rapid.T) []spec.Subnet {
	pool := []string{"192.168.7.1/24", "10.7.0.1/8", "172.20.3.129/25", "172.21.0.1/16", "192.0.2.5/31", "fd00:7::1/64", "fd00:8::1/112", "fd00:9::77/48"}
	var list []spec.Subnet
	for _, p := range rapid.Permutation(pool).Draw(t, "pool")[:rapid.IntRange(0, 3).Draw(t, "count")] {
		s := spec.Subnet{Address: netip.MustParsePrefix(p)}
		if s.Address.Addr().Is6() {
			s.SLAAC = rapid.SampledFrom([]*bool{nil, nil, new(bool)}).Draw(t, "slaac")
		}
		if rapid.Bool().Draw(t, "has dhcp") {
			s.DHCP = subnetDHCP(t, s.Address)
		}
		list = append(list, s)
	}
	return list
}

func routes(t *rapid.T, subnets []spec.Subnet) []spec.StaticRoute {
	var list []spec.StaticRoute
	for i := range rapid.IntRange(0, 2).Draw(t, "routes") {
		if len(subnets) == 0 {
			break
		}
		r := spec.StaticRoute{Via: inside(t, subnets[0].Address), Metric: rapid.IntRange(0, 3).Draw(t, "metric"),
			To: netip.MustParsePrefix(fmt.Sprintf("198.51.%d.0/24", i))}
		if r.Via.Is6() {
			r.To = netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/48", i))
		}
		if rapid.Bool().Draw(t, "relayed") {
			r.DHCP = &spec.DHCP{LeaseTime: lease().Draw(t, "lease")}
		}
		list = append(list, r)
	}
	return list
}

// inside draws an address near the beginning of a prefix.
func inside(t *rapid.T, p netip.Prefix) netip.Addr {
	a := p.Masked().Addr()
	for range rapid.IntRange(2, 40).Draw(t, "address") {
		a = a.Next()
	}
	return a
}
