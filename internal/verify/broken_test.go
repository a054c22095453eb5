package verify

import (
	"testing"

	"kvmnet/internal/spec"
)

// TestABrokenPromiseIsReportedAndNoOther breaks networks one way at a time.
func TestABrokenPromiseIsReportedAndNoOther(t *testing.T) {
	t.Parallel()
	nat := func() *spec.Network { return network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64") }
	route := func() *spec.Network { return network(spec.Route, "dmz0", "10.2.0.1/24", "fd00:2::1/64") }
	cell := func() *spec.Network { return network(spec.Isolated, "cell0", "10.5.0.1/24", "fd00:5::1/64") }
	quiet := func() *spec.Network { return network(spec.Isolated, "quiet0") }
	for _, c := range []struct {
		name  string
		nets  map[string]*spec.Network
		only  string
		spoil func(l *lab)
		want  []string
	}{
		{"nothing is broken", map[string]*spec.Network{"lab": nat(), "dmz": route(), "cell": cell(), "quiet": quiet()}, "", func(l *lab) {}, nil},
		{"masquerading is gone", map[string]*spec.Network{"lab": nat()}, "", func(l *lab) {
			l.run("nft delete element inet kvmnet masquerade4 { lab0 }")
		}, []string{
			"lab: guest → outside 192.0.2.1 (icmp): left as X",
			"lab: guest → outside 192.0.2.1 (udp): left as X",
		}},
		{"somebody masquerades a routed network", map[string]*spec.Network{"dmz": route()}, "", func(l *lab) {
			l.nft("add table ip x; add chain ip x p { type nat hook postrouting priority 90; }; add rule ip x p oifname eth0 masquerade")
		}, []string{
			"dmz: guest → outside 192.0.2.1 (icmp): left as 192.0.2.2",
			"dmz: guest → outside 192.0.2.1 (udp): left as 192.0.2.2",
		}},
		{"a foreign firewall drops", map[string]*spec.Network{"lab": nat()}, "", func(l *lab) {
			l.nft("add table ip x; add chain ip x f { type filter hook forward priority 10; }; add rule ip x f oifname eth0 drop")
		}, []string{
			"lab: guest → outside 192.0.2.1 (icmp): nothing left",
			"lab: guest → outside 192.0.2.1 (udp): nothing left",
		}},
		{"a foreign firewall refuses one protocol", map[string]*spec.Network{"lab": nat()}, "", func(l *lab) {
			l.nft("add table ip6 x; add chain ip6 x f { type filter hook forward priority -10; }; add rule ip6 x f meta l4proto udp reject with icmpv6 admin-prohibited")
		}, []string{
			"lab: guest → outside 2001:db8:2::1 (udp): nothing left, fd00:1::1 says admin-prohibited",
		}},
		{"our whole table is gone", map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24"), "web": network(spec.Route, "web0", "10.3.0.1/24")}, "", func(l *lab) {
			l.run("nft delete table inet kvmnet")
		}, []string{
			"lab: guest → outside 192.0.2.1 (icmp): left as X",
			"lab: guest → outside 192.0.2.1 (udp): left as X",
			"lab: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 203.0.113.77",
			"lab: guest as X of web → outside 192.0.2.1 (icmp): left as X",
			"lab: guest → guest X of web (icmp): arrived as X",
			"lab: guest → gateway 10.3.0.1 of web (icmp): answered",
			"web: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 203.0.113.77",
			"web: guest as X of lab → outside 192.0.2.1 (icmp): left as X",
			"web: guest → guest X of lab (icmp): arrived as X",
			"web: guest → gateway 10.1.0.1 of lab (icmp): answered",
		}},
		// The errors go to forged sources too, and so leave by the uplink with the
		// packet inside: they are not the packet.
		{"a foreign firewall refuses forged sources as well", map[string]*spec.Network{"dmz": route()}, "", func(l *lab) {
			l.nft("add table inet x; add chain inet x f { type filter hook forward priority -10; }; add rule inet x f iifname dmz0 oifname eth0 reject")
		}, []string{
			"dmz: guest → outside 192.0.2.1 (icmp): nothing left, 10.2.0.1 says unreachable",
			"dmz: guest → outside 192.0.2.1 (udp): nothing left, 10.2.0.1 says unreachable",
			"dmz: guest → outside 2001:db8:2::1 (icmp): nothing left, fd00:2::1 says unreachable",
			"dmz: guest → outside 2001:db8:2::1 (udp): nothing left, fd00:2::1 says unreachable",
		}},
		{"forwarding is off", map[string]*spec.Network{"dmz": route()}, "", func(l *lab) {
			l.sysctl("net/ipv4/conf/dmz0/forwarding", "0")
		}, []string{
			"dmz: guest → outside 192.0.2.1 (icmp): nothing left",
			"dmz: guest → outside 192.0.2.1 (udp): nothing left",
		}},
		{"the gateway's address is gone", map[string]*spec.Network{"lab": nat()}, "", func(l *lab) {
			l.run("ip addr del 10.1.0.1/24 dev lab0")
		}, []string{
			"lab: guest → gateway 10.1.0.1 (ping): no answer",
			"lab: guest → outside 192.0.2.1 (icmp): nothing left: gateway 10.1.0.1 does not answer (arp)",
			"lab: guest → outside 192.0.2.1 (udp): nothing left: gateway 10.1.0.1 does not answer (arp)",
			"lab: guest → name of the gateway by DNS 10.1.0.1 (udp): no answer: silence",
			"lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): no answer: silence",
		}},
		{"the host does not answer pings", map[string]*spec.Network{"cell": cell()}, "", func(l *lab) {
			l.sysctl("net/ipv4/icmp_echo_ignore_all", "1")
		}, []string{
			"cell: guest → gateway 10.5.0.1 (ping): no answer",
		}},
		{"an isolated network forwards", map[string]*spec.Network{"cell": cell()}, "", func(l *lab) {
			l.run("nft delete element inet kvmnet from { cell0 }")
			l.sysctl("net/ipv4/conf/cell0/forwarding", "1")
		}, []string{
			"cell: guest → outside 192.0.2.1 (icmp): left as X",
			"cell: guest → outside 192.0.2.1 (udp): left as X",
			"cell: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 203.0.113.77",
		}},
		{"an isolated network leaks masqueraded", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.run("nft delete element inet kvmnet from { quiet0 }")
			l.run("nft add element inet kvmnet masquerade4 { quiet0 }")
			l.sysctl("net/ipv4/conf/quiet0/forwarding", "1")
		}, []string{
			"quiet: guest → outside 192.0.2.1 (icmp): left as 192.0.2.2",
			"quiet: guest → outside 192.0.2.1 (udp): left as 192.0.2.2",
			"quiet: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 192.0.2.2",
		}},
		{"a silent host answers ARP", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.sysctl("net/ipv4/conf/quiet0/arp_ignore", "0")
		}, []string{
			"quiet: guest → host 192.0.2.2 (arp): answered from MAC",
		}},
		{"a silent host takes packets", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.run("nft delete element inet kvmnet input { quiet0 }")
		}, []string{
			"quiet: guest → host 192.0.2.2 (icmp): answered by eth0",
		}},
		{"an isolated host shows its other addresses", map[string]*spec.Network{"cell": cell(), "lab": nat()}, "cell", func(l *lab) {
			l.run("nft delete element inet kvmnet input { cell0 }")
		}, []string{
			"cell: guest → host 192.0.2.2 (icmp): answered",
			"cell: guest → host 2001:db8:2::2 (icmp): answered",
			"cell: guest → gateway 10.1.0.1 of lab (icmp): answered",
			"cell: guest → gateway fd00:1::1 of lab (icmp): answered",
		}},
		{"routed networks are kept apart", map[string]*spec.Network{"dmz": route(), "web": network(spec.Route, "web0", "10.3.0.1/24")}, "web", func(l *lab) {
			l.nft("add table ip x; add chain ip x f { type filter hook forward priority 0; }; add rule ip x f iifname web0 oifname dmz0 drop")
		}, []string{
			"web: guest → guest X of dmz (icmp): nothing arrived",
		}},
		{"nat guests get into another network", map[string]*spec.Network{"lab": nat(), "dev": network(spec.NAT, "dev0", "10.6.0.1/24")}, "", func(l *lab) {
			l.run("nft delete element inet kvmnet from { lab0 }")
			l.run("nft delete element inet kvmnet to { dev0 }")
		}, []string{
			"lab: guest as 203.0.113.77 → outside 192.0.2.1 (icmp): left as 192.0.2.2",
			"lab: guest as X of dev → outside 192.0.2.1 (icmp): left as 192.0.2.2",
			"lab: guest as 2001:db8:77::77 → outside 2001:db8:2::1 (icmp): left as 2001:db8:2::2",
			"lab: guest → guest X of dev (icmp): arrived as X",
		}},
		{"the segment drops a protocol", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.nft("add table bridge x; add chain bridge x f { type filter hook forward priority 0; }; add rule bridge x f ip protocol tcp drop")
		}, []string{
			"quiet: guest ↔ guest X (tcp): no answer",
		}},
		{"the bridge is gone", map[string]*spec.Network{"lab": nat(), "dmz": route()}, "lab", func(l *lab) {
			l.run("ip link del lab0")
		}, []string{
			"lab: guest joins the network: there is no bridge lab0",
		}},
		{"the bridge is another kind of link", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.run("ip link del quiet0")
			l.run("ip tuntap add quiet0 mode tap")
		}, []string{
			"quiet: guest joins the network: there is no bridge quiet0",
		}},
		{"the bridge is down", map[string]*spec.Network{"quiet": quiet()}, "", func(l *lab) {
			l.run("ip link set quiet0 down")
		}, []string{
			"quiet: guest ↔ guest X (icmp): no answer",
			"quiet: guest ↔ guest X (icmp): no answer",
			"quiet: guest ↔ guest X (tcp): no answer",
			"quiet: guest ↔ guest X (tcp): no answer",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.nets)
			c.spoil(l)
			o := l.options()
			if c.only != "" {
				o.Only = []string{c.only}
			}
			same(t, broken(verify(t, o)), c.want)
		})
	}
}
