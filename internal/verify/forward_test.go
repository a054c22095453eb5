package verify

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// forwardLab is a router with two networks. A guest vm1 of red is reached by
// forwards and by a floating address.
func forwardLab(t *testing.T) *routerLab {
	t.Helper()
	l := newRouterLab(t, first(pair(spec.EgressMasquerade, spec.EgressMasquerade)), second(pair(spec.EgressMasquerade, spec.EgressMasquerade)))
	vm1 := netip.MustParseAddr("10.3.0.20")
	l.Guest(t, "vm1", "red0", "10.3.0.20/24", "10.3.0.1")
	l.o.Guests = map[string]map[string][]netip.Addr{"red": {"vm1": {vm1}, "gone": {netip.MustParseAddr("10.3.0.30")}}}
	l.o.Held = map[netip.Addr]bool{netip.MustParseAddr("10.3.0.30"): true}
	port := func(text string) spec.Listen {
		listen, err := spec.ParseListen(text)
		try(t, err)
		return listen
	}
	l.o.Forwards = map[string]*spec.Forward{
		"dns":    {Network: "red", Protocol: spec.UDP, Listen: port("53"), To: spec.Target{Addr: vm1}},
		"float":  {Network: "red", Floating: netip.MustParseAddr("192.0.2.50"), To: spec.Target{Name: "VM1"}},
		"gone":   {Network: "red", Listen: port("81"), To: spec.Target{Name: "gone"}},
		"other":  {Network: "red", Listen: port("82"), To: spec.Target{Name: "vm2"}},
		"range":  {Network: "red", Listen: port("192.0.2.10:2000-2009"), To: spec.Target{Name: "vm1", Port: 3000}},
		"signal": {Network: "red", Protocol: spec.SCTP, Listen: port("83"), To: spec.Target{Name: "vm1"}},
		"web":    {Network: "red", Listen: port("8080"), To: spec.Target{Name: "vm1", Port: 80}},
	}
	l.in("r1", "nft add chain inet r d { type nat hook prerouting priority -100; }")
	for _, rule := range []string{
		"d iifname != eth0 ip daddr 192.0.2.50 dnat ip to 10.3.0.20",
		"d ip daddr 192.0.2.10 tcp dport 8080 dnat ip to 10.3.0.20:80",
		"d ip daddr 192.0.2.10 udp dport 53 dnat ip to 10.3.0.20",
		"d ip daddr 192.0.2.10 tcp dport 2000-2009 dnat ip to 10.3.0.20:tcp dport map { 2000 : 3000, 2009 : 3009 }",
		"extra ct status dnat accept",
	} {
		l.in("r1", "nft add rule inet r "+rule)
	}
	return l
}

func forwardLines(checks []Check) (out []string) {
	for _, line := range lines(checks) {
		if strings.Contains(line, ": forward ") {
			out = append(out, line)
		}
	}
	return out
}

func TestForwardsAreProved(t *testing.T) {
	t.Parallel()
	l := forwardLab(t)
	checks := verify(t, l.o)
	same(t, broken(checks), nil)
	same(t, forwardLines(checks), strings.Split(strings.TrimSpace(`
red: forward dns: guest of blue → 192.0.2.10:53 (udp): leads to X:53: led to X:53
red: forward float: guest of blue → 192.0.2.50 (icmp): leads to X: led to X
red: forward gone: guest of blue → 192.0.2.10:81 (tcp): leads to X:81: not checked: X does not answer (arp)
red: forward other: leads to vm2: not checked: no guest has that name or address
red: forward range: guest of blue → 192.0.2.10:2000 (tcp): leads to X:3000: led to X:3000
red: forward range: guest of blue → 192.0.2.10:2009 (tcp): leads to X:3009: led to X:3009
red: forward signal: guest of blue → 192.0.2.10:83 (sctp): leads to X:83: not checked: test guests do not speak sctp
red: forward web: guest of blue → 192.0.2.10:8080 (tcp): leads to X:80: led to X:80`), "\n"))
}

func TestABrokenForwardIsReported(t *testing.T) {
	t.Parallel()
	l := forwardLab(t)
	l.in("r1", "nft insert rule inet r d tcp dport 8080 dnat ip to 10.3.0.20:81")
	l.in("r1", "nft insert rule inet r d tcp dport 2009 accept")
	l.in("r1", "nft insert rule inet r extra udp dport 53 reject with icmpx admin-prohibited")
	same(t, broken(verify(t, l.o)), []string{
		"red: forward dns: guest of blue → 192.0.2.10:53 (udp): led nowhere, 192.0.2.10 says admin-prohibited",
		"red: forward range: guest of blue → 192.0.2.10:2009 (tcp): led nowhere",
		"red: forward web: guest of blue → 192.0.2.10:8080 (tcp): led to X:81",
	})
}

// TestAForwardOfTheOnlyNetworkIsTriedFromItself is on the host.
func TestAForwardOfTheOnlyNetworkIsTriedFromItself(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64")})
	vm := nstest.Host(t, "vm")
	nstest.Join(t, vm, l.Machine, "lab0", netip.MustParsePrefix("10.1.0.20/24"), netip.MustParsePrefix("fd00:1::20/64"))
	o := l.options()
	o.Guests = map[string]map[string][]netip.Addr{"lab": {"vm": {netip.MustParseAddr("10.1.0.20"), netip.MustParseAddr("fd00:1::20")}}}
	o.Forwards = map[string]*spec.Forward{"web": {Network: "lab", Protocol: spec.UDP, Listen: spec.Listen{Ports: spec.PortRange{From: 8080, To: 8080}}, To: spec.Target{Name: "vm", Port: 80}}}
	same(t, forwardLines(verify(t, o)), []string{
		"lab: forward web: guest of lab → 192.0.2.2:8080 (udp): leads to X:80: led nowhere",
		"lab: forward web: guest of lab → [2001:db8:2::2]:8080 (udp): leads to [X]:80: led nowhere",
	})
	l.nft("add table inet x; add chain inet x d { type nat hook prerouting priority -100; }; " +
		"add rule inet x d ip daddr 192.0.2.2 udp dport 8080 dnat ip to 10.1.0.20:80; add rule inet x d ip6 daddr 2001:db8:2::2 udp dport 8080 dnat ip6 to [fd00:1::20]:80; " +
		"add chain inet x s { type nat hook postrouting priority 90; }; add rule inet x s iifname lab0 oifname lab0 ct status dnat masquerade")
	checks := verify(t, o)
	same(t, broken(checks), nil)
	same(t, forwardLines(checks), []string{
		"lab: forward web: guest of lab → 192.0.2.2:8080 (udp): leads to X:80: led to X:80",
		"lab: forward web: guest of lab → [2001:db8:2::2]:8080 (udp): leads to [X]:80: led to [X]:80",
	})
}
