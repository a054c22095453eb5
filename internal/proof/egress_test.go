package proof

import (
	"net/netip"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// twoRouters has three networks on two routers, each leaving by its own rules, and
// two of them with the same subnet.
const twoRouters = `
bridges:
  br0: {ports: [eth1]}
networks:
  red: {mode: isolated}
  blue: {mode: isolated}
  green: {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: [192.0.2.11/24, "2001:db8:2::11/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - {network: red, address: [10.9.0.1/24, "fd00:9::1/64"], egress: masquerade}
      - {network: green, address: [10.10.0.1/24, "fd00:10::1/64"], egress: none}
  r2:
    uplink: {bridge: br0, address: [192.0.2.12/24, "2001:db8:2::12/64"], gateway: [192.0.2.1, "2001:db8:2::1"]}
    interfaces:
      - network: blue
        address: [10.9.0.1/24, "fd00:9::1/64"]
        egress: snat
        snat: {address: 192.0.2.22, ipv6: "2001:db8:2::22"}
        allow: [{protocol: tcp, ports: [80, 443]}]
`

// TestEachNetworkOfARouterLeavesByItsOwnRule asks for every pair, both ways, by
// every protocol, and looks at the source.
func TestEachNetworkOfARouterLeavesByItsOwnRule(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoRouters)
	red := w.guest("red-guest", "red", "10.9.0.5/24", "10.9.0.1", "fd00:9::5/64", "fd00:9::1")
	blue := w.guest("blue-guest", "blue", "10.9.0.5/24", "10.9.0.1", "fd00:9::5/64", "fd00:9::1")
	green := w.guest("green-guest", "green", "10.10.0.5/24", "10.10.0.1", "fd00:10::5/64", "fd00:10::1")
	nstest.Serve(t, w.Outside, 80, 443)
	for _, route := range []struct{ to, via string }{ // the outside tries hard
		{"10.9.0.0/24", "192.0.2.11"}, {"10.10.0.0/24", "192.0.2.11"}, {"fd00:9::/64", "2001:db8:2::11"}, {"fd00:10::/64", "2001:db8:2::11"},
	} {
		if err := w.Outside.AddRoute(netip.MustParsePrefix(route.to), addr(route.via)); err != nil {
			t.Fatal(err)
		}
	}
	var list []question
	add := func(more ...[]question) {
		for _, m := range more {
			list = append(list, m...)
		}
	}
	for _, f := range []struct{ gateway, green, greenGateway, outside, far, r1, r2, snat, neighbour, redGuest string }{
		{"10.9.0.1", "10.10.0.5", "10.10.0.1", "192.0.2.1", "198.51.100.1", "192.0.2.11", "192.0.2.12", "192.0.2.22", "192.0.2.3", "10.9.0.5"},
		{"fd00:9::1", "fd00:10::5", "fd00:10::1", "2001:db8:2::1", "2001:db8:ffff::1", "2001:db8:2::11", "2001:db8:2::12", "2001:db8:2::22", "2001:db8:2::3", "fd00:9::5"},
	} {
		for _, to := range []string{f.outside, f.far, f.neighbour} {
			add(everyProto(red, to, f.r1), everyProto(green, to, "no"), everyProto(blue, to, "no"))
		}
		for _, port := range []uint16{80, 443} {
			add([]question{{blue, testhost.Probe{Proto: testhost.TCP, To: addr(f.outside), Port: port}, f.snat},
				{blue, testhost.Probe{Proto: testhost.UDP, To: addr(f.outside), Port: port}, "no"},
				{red, testhost.Probe{Proto: testhost.TCP, To: addr(f.outside), Port: port}, f.r1}})
		}
		add(everyProto(red, f.green, "no"), everyProto(green, f.redGuest, "no"), everyProto(blue, f.green, "no"),
			everyProto(w.Outside, f.redGuest, "no"), everyProto(w.Outside, f.green, "no"))
		for _, g := range []*testhost.Host{red, blue} {
			add([]question{{g, testhost.Probe{Proto: testhost.ICMP, To: addr(f.gateway)}, "yes"}})
		}
		add([]question{{green, testhost.Probe{Proto: testhost.ICMP, To: addr(f.greenGateway)}, "yes"},
			{red, testhost.Probe{Proto: testhost.ICMP, To: addr(f.greenGateway)}, "no"},
			{w.Outside, testhost.Probe{Proto: testhost.ICMP, To: addr(f.r1)}, "yes"}})
	}
	ask(t, list)
	t.Logf("%d questions", len(list))
}
