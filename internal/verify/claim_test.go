package verify

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// The contract of every mode for packets between networks, as in the mode table:
// "own" gets there with its source, "-" does not, "fw" is up to the host's
// firewall.
const contract = `
from\to   isolated  nat  route  open
isolated  -         -    -      -
nat       -         -    -      -
route     -         -    own    fw
open      -         -    fw     fw
`

func TestRulesBetweenNetworksAreTheContract(t *testing.T) {
	t.Parallel()
	word := map[rule]string{never: "-", asSelf: "own", free: "fw"}
	rows := strings.Split(strings.TrimSpace(contract), "\n")
	columns := strings.Fields(rows[0])[1:]
	for _, row := range rows[1:] {
		f := strings.Fields(row)
		for i, want := range f[1:] {
			if got := word[toNetwork(&spec.Network{Mode: spec.Mode(f[0])}, gate{}, &spec.Network{Mode: spec.Mode(columns[i])}, gate{})]; got != want {
				t.Errorf("%s to %s: %s, want %s", f[0], columns[i], got, want)
			}
		}
	}
}

func TestRulesToTheOutsideAreTheContract(t *testing.T) {
	t.Parallel()
	no := false
	for _, c := range []struct {
		n         *spec.Network
		four, six rule // IPv4, IPv6
	}{
		{&spec.Network{Mode: spec.Isolated}, never, never},
		{&spec.Network{Mode: spec.NAT}, asHost, asHost},
		{&spec.Network{Mode: spec.NAT, NAT: &spec.NATSettings{}}, asHost, asHost},
		{&spec.Network{Mode: spec.NAT, NAT: &spec.NATSettings{IPv6: &no}}, asHost, asSelf},
		{&spec.Network{Mode: spec.Route}, asSelf, asSelf},
		{&spec.Network{Mode: spec.Open}, free, free},
	} {
		if four, six := toOutside(c.n, false), toOutside(c.n, true); four != c.four || six != c.six {
			t.Errorf("%s %+v: IPv4 %d, IPv6 %d, want %d, %d", c.n.Mode, c.n.NAT, four, six, c.four, c.six)
		}
	}
}

func TestClaimsAreJudgedByTheSourceThatWasSeen(t *testing.T) {
	t.Parallel()
	self, host, other := netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.9")
	hosts := []netip.Addr{host}
	from := func(a netip.Addr) testhost.Packet { return testhost.Packet{Src: a, Interface: "eth0"} }
	for _, c := range []struct {
		claim    claim
		got      testhost.Packet
		why      string
		expected string
		saw      string
		ok       bool
	}{
		{claim{rule: asHost, self: self, host: hosts, verb: leave}, from(host), "answered", "leaves as 192.0.2.2", "left as 192.0.2.2, answered", true},
		{claim{rule: asHost, self: self, host: hosts, verb: leave}, from(self), "", "leaves as 192.0.2.2", "left as 10.1.0.9", false},
		{claim{rule: asHost, self: self, host: []netip.Addr{host, other}, verb: leave}, from(other), "", "leaves as 192.0.2.2 or 192.0.2.9", "left as 192.0.2.9", true},
		{claim{rule: asHost, self: self, verb: leave}, testhost.Packet{}, "", "leaves as an address of the host", "nothing left", false},
		{claim{rule: asHost, self: self, host: hosts, link: "eth0", verb: leave}, from(host), "", "leaves as 192.0.2.2 by eth0", "left as 192.0.2.2", true},
		{claim{rule: asHost, self: self, host: hosts, link: "eth1", verb: leave}, from(host), "", "leaves as 192.0.2.2 by eth1", "left as 192.0.2.2 by eth0", false},
		{claim{rule: asSelf, self: self, verb: arrive}, from(self), "", "arrives as 10.1.0.9", "arrived as 10.1.0.9", true},
		{claim{rule: asSelf, self: self, verb: arrive}, from(host), "", "arrives as 10.1.0.9", "arrived as 192.0.2.2", false},
		{claim{rule: asSelf, self: self, verb: arrive}, testhost.Packet{}, "10.1.0.1 says unreachable", "arrives as 10.1.0.9", "nothing arrived, 10.1.0.1 says unreachable", false},
		{claim{rule: never, self: self, verb: leave}, testhost.Packet{}, "", "does not leave", "nothing left", true},
		{claim{rule: never, self: self, verb: leave}, from(self), "", "does not leave", "left as 10.1.0.9", false},
		{claim{rule: free, self: self, verb: leave}, testhost.Packet{}, "", "leaves as 10.1.0.9, if the host's firewall lets it", "nothing left", true},
		{claim{rule: free, self: self, verb: leave}, from(self), "", "leaves as 10.1.0.9, if the host's firewall lets it", "left as 10.1.0.9", true},
		{claim{rule: free, self: self, verb: leave}, from(host), "", "leaves as 10.1.0.9, if the host's firewall lets it", "left as 192.0.2.2", false},
	} {
		if got := c.claim.expected(); got != c.expected {
			t.Errorf("expected %q, want %q", got, c.expected)
		}
		if saw, ok := c.claim.judge(c.got, c.why); saw != c.saw || ok != c.ok {
			t.Errorf("%s: judged %q %v, want %q %v", c.expected, saw, ok, c.saw, c.ok)
		}
	}
}

func TestAnswersAreToldInWords(t *testing.T) {
	t.Parallel()
	asked, router := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.1.0.1")
	asked6, router6 := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("fd00::1")
	icmp := func(src netip.Addr, kind, code uint8) testhost.Packet {
		p := testhost.Packet{Proto: testhost.ICMP, EtherType: testhost.EtherIPv4, Src: src, Type: kind, Code: code}
		if src.Is6() {
			p.EtherType = testhost.EtherIPv6
		}
		return p
	}
	for _, c := range []struct {
		answer testhost.Packet
		asked  netip.Addr
		want   string
	}{
		{testhost.Packet{}, asked, ""},
		{icmp(asked, 0, 0), asked, "answered"},
		{icmp(asked6, 129, 0), asked6, "answered"},
		{testhost.Packet{Proto: testhost.UDP, Src: asked}, asked, "answered"},
		{icmp(asked, 3, 3), asked, "answered"},
		{icmp(asked6, 1, 4), asked6, "answered"},
		{icmp(router, 3, 3), asked, "10.1.0.1 says unreachable"},
		{icmp(router, 3, 13), asked, "10.1.0.1 says admin-prohibited"},
		{icmp(router6, 1, 1), asked6, "fd00::1 says admin-prohibited"},
		{icmp(router6, 1, 0), asked6, "fd00::1 says unreachable"},
		{icmp(router, 11, 0), asked, "10.1.0.1 says icmp type 11 code 0"},
	} {
		if got := words(sight{answer: c.answer}, c.asked); got != c.want {
			t.Errorf("%s: %q, want %q", c.answer, got, c.want)
		}
	}
}
