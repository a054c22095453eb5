package verify

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestPoliciesDecideInTheirOrder(t *testing.T) {
	t.Parallel()
	policies := map[string]*spec.Policy{
		"a-late":   {From: "red", To: "any", Priority: 200, Deny: []spec.Traffic{{}}},
		"b-db":     {From: "red, green", To: "blue", Allow: []spec.Traffic{{Protocol: spec.TCP, Ports: "5432, 6000-6010"}}, Reject: []spec.Traffic{{Ports: "6005"}}},
		"c-known":  {From: "blue/guests", To: "red", Allow: []spec.Traffic{{Protocol: spec.UDP}}},
		"d-out":    {From: "blue", To: "outside", Deny: []spec.Traffic{{Protocol: spec.TCP, Ports: "25", To: "192.0.2.0/24"}}},
		"e-gate":   {From: "blue", To: "red/gateway", Allow: []spec.Traffic{{Protocol: spec.ICMP}}},
		"f-set":    {From: "set/friends", To: "10.4.0.0/24", Allow: []spec.Traffic{{Protocol: spec.ICMP}}},
		"h-router": {From: "green", To: "router/r1", Deny: []spec.Traffic{{Protocol: spec.TCP, Ports: "22"}}},
		"g-early":  {From: "red", To: "blue", Priority: 1, Allow: []spec.Traffic{{Protocol: spec.UDP, Ports: "53"}}},
	}
	b := newRulebook(Options{Policies: policies, Sets: map[string]*spec.AddressSet{"friends": {Addresses: "203.0.113.0/24, 10.9.0.1"}}})
	end := func(text string) party { // "red 10.3.0.9", "red! 10.3.0.1" for the gateway, "- 192.0.2.1" outside
		name, addr, _ := strings.Cut(text, " ")
		bare := strings.Trim(name, "!-")
		return party{network: bare, gateway: bare+"!" == name, addr: netip.MustParseAddr(addr)}
	}
	word := map[verdict]string{undecided: "undecided", allowed: "allowed", refused: "refused"}
	for _, c := range []struct {
		from, to string
		k        knock
		want     string
	}{
		{"red 10.3.0.9", "blue 10.4.0.9", knock{testhost.TCP, 5432}, "allowed b-db"},
		{"red 10.3.0.9", "blue 10.4.0.9", knock{testhost.TCP, 6000}, "allowed b-db"},
		{"red 10.3.0.9", "blue 10.4.0.9", knock{testhost.TCP, 6005}, "refused b-db"},
		{"red 10.3.0.9", "blue 10.4.0.9", knock{testhost.UDP, 5432}, "refused a-late"},
		{"red 10.3.0.9", "blue 10.4.0.9", knock{testhost.UDP, 53}, "allowed g-early"},
		{"green 10.5.0.9", "blue 10.4.0.9", knock{testhost.TCP, 5432}, "allowed b-db"},
		{"green 10.5.0.9", "blue 10.4.0.9", knock{testhost.TCP, 80}, "undecided "},
		{"blue 10.4.0.9", "red 10.3.0.9", knock{testhost.UDP, 0}, "allowed c-known"},
		{"blue 10.4.0.9", "red 10.3.0.9", knock{testhost.TCP, 0}, "undecided "},
		{"blue 10.4.0.9", "- 192.0.2.1", knock{testhost.TCP, 25}, "refused d-out"},
		{"blue 10.4.0.9", "- 198.51.100.1", knock{testhost.TCP, 25}, "undecided "},
		{"blue 10.4.0.9", "red! 10.3.0.1", knock{testhost.ICMP, 0}, "allowed e-gate"},
		{"blue 10.4.0.9", "blue! 10.4.0.1", knock{testhost.ICMP, 0}, "undecided "},
		{"red 10.3.0.9", "red! 10.3.0.1", knock{testhost.ICMP, 0}, "undecided "},
		{"red 10.3.0.9", "green! 10.5.0.1", knock{testhost.ICMP, 0}, "refused a-late"},
		{"green 10.5.0.9", "red! 10.3.0.1", knock{testhost.TCP, 80}, "undecided "},
		{"green 10.5.0.9", "green! 10.5.0.1", knock{testhost.TCP, 22}, "refused h-router"},
		{"- 203.0.113.5", "blue 10.4.0.9", knock{testhost.ICMP, 0}, "allowed f-set"},
		{"- 203.0.114.5", "blue 10.4.0.9", knock{testhost.ICMP, 0}, "undecided "},
	} {
		from, to := end(c.from), end(c.to)
		if to.gateway {
			to.router, to.own = "r1", to.network == from.network
		}
		v, name := b.decide(ask{from, to, c.k})
		if got := fmt.Sprintf("%s %s", word[v], name); got != c.want {
			t.Errorf("%s → %s (%s): %s, want %s", c.from, c.to, c.k, got, c.want)
		}
	}
}

// TestStancesDecideWhereNoPolicyDoes has every stance and egress.
func TestStancesDecideWhereNoPolicyDoes(t *testing.T) {
	t.Parallel()
	router := func(e spec.Egress) gate { return gate{"r1", &spec.Interface{Egress: e}} }
	for _, c := range []struct {
		n     *spec.Network
		g     gate
		want  spec.Stance
		leave bool // for other networks
	}{
		{&spec.Network{Mode: spec.NAT}, gate{}, spec.StanceOutbound, false},
		{&spec.Network{Mode: spec.NAT, Policy: spec.StanceOpen}, gate{}, spec.StanceOpen, false},
		{&spec.Network{Mode: spec.NAT, Policy: spec.StanceIsolated}, gate{}, spec.StanceIsolated, false},
		{&spec.Network{Mode: spec.Route}, gate{}, spec.StanceOpen, true},
		{&spec.Network{Mode: spec.Route, Policy: spec.StanceOutbound}, gate{}, spec.StanceOutbound, true},
		{&spec.Network{Mode: spec.Route, Policy: spec.StanceIsolated}, gate{}, spec.StanceIsolated, false},
		{&spec.Network{Mode: spec.Isolated}, gate{}, spec.StanceIsolated, false},
		{&spec.Network{Mode: spec.Open}, gate{}, spec.StanceOpen, true},
		{&spec.Network{Mode: spec.Isolated}, router(""), spec.StanceIsolated, false},
		{&spec.Network{Mode: spec.Isolated, Policy: spec.StanceOpen}, router(spec.EgressNone), spec.StanceIsolated, false},
		{&spec.Network{Mode: spec.Isolated}, router(spec.EgressRoute), spec.StanceOpen, true},
		{&spec.Network{Mode: spec.Isolated, Policy: spec.StanceOutbound}, router(spec.EgressRoute), spec.StanceOutbound, true},
		{&spec.Network{Mode: spec.Isolated}, router(spec.EgressMasquerade), spec.StanceOutbound, false},
		{&spec.Network{Mode: spec.Isolated, Policy: spec.StanceOpen}, router(spec.EgressSNAT), spec.StanceOpen, false},
		{&spec.Network{Mode: spec.Isolated, Policy: spec.StanceIsolated}, router(spec.EgressMasquerade), spec.StanceIsolated, false},
	} {
		if got := stance(c.n, c.g); got != c.want {
			t.Errorf("%s %q %q: %s, want %s", c.n.Mode, c.n.Policy, egress(c.g), got, c.want)
		}
		if got := goesOut(c.n, c.g); got != c.leave {
			t.Errorf("%s %q %q: leaves for other networks %v, want %v", c.n.Mode, c.n.Policy, egress(c.g), got, c.leave)
		}
	}
}

// policyLab is a router with two networks and a policy for each direction, and
// rules that keep them.
func policyLab(t *testing.T) *routerLab {
	t.Helper()
	l := newRouterLab(t, first(pair(spec.EgressMasquerade, spec.EgressMasquerade)), second(pair(spec.EgressMasquerade, spec.EgressMasquerade)))
	l.o.Policies = map[string]*spec.Policy{
		"db":   {From: "red", To: "blue", Allow: []spec.Traffic{{Protocol: spec.TCP, Ports: "5432"}, {Protocol: spec.UDP, Ports: "53"}}},
		"ping": {From: "blue", To: "red", Allow: []spec.Traffic{{Protocol: spec.ICMP}}},
		"mail": {From: "blue", To: "outside", Reject: []spec.Traffic{{Protocol: spec.TCP, Ports: "25"}}},
		"gate": {From: "blue", To: "red/gateway", Allow: []spec.Traffic{{Protocol: spec.ICMP}}},
	}
	for _, rule := range []string{
		"extra iifname eth0 oifname eth1 tcp dport 5432 accept",
		"extra iifname eth0 oifname eth1 udp dport 53 accept",
		"extra iifname eth1 oifname eth0 meta l4proto icmp accept",
		"extra iifname eth1 oifname uplink tcp dport 25 reject with icmpx admin-prohibited",
	} {
		l.in("r1", "nft add rule inet r "+rule)
	}
	l.in("r1", "nft insert rule inet r own iifname eth1 ip daddr 10.3.0.1 icmp type echo-request accept")
	return l
}

func TestPoliciesAreProved(t *testing.T) {
	t.Parallel()
	l := policyLab(t)
	checks := verify(t, l.o)
	same(t, broken(checks), nil)
	var got []string
	for _, line := range lines(checks) {
		if strings.Contains(line, " of red") || strings.Contains(line, " of blue") || strings.Contains(line, "outside 192.0.2.1 (tcp") {
			got = append(got, line)
		}
	}
	same(t, got, strings.Split(strings.TrimSpace(`
blue: guest as X of red → outside 192.0.2.1 (icmp): does not leave: nothing left
blue: guest → outside 192.0.2.1 (tcp 25): does not leave: nothing left, 10.4.0.1 says admin-prohibited
blue: guest → outside 192.0.2.1 (tcp): leaves as 192.0.2.10: left as 192.0.2.10
blue: guest → guest X of red (icmp): arrives as X: arrived as X
blue: guest → guest X of red (tcp): does not arrive: nothing arrived
blue: guest → gateway 10.3.0.1 of red (icmp): answered, if the host's firewall lets it: answered
red: guest as X of blue → outside 192.0.2.1 (icmp): does not leave: nothing left
red: guest → guest X of blue (icmp): does not arrive: nothing arrived
red: guest → guest X of blue (tcp 5432): arrives as X: arrived as X
red: guest → guest X of blue (udp 53): arrives as X: arrived as X
red: guest → guest X of blue (tcp): does not arrive: nothing arrived
red: guest → gateway 10.4.0.1 of blue (icmp): no answer: no answer`), "\n"))
}

func TestABrokenPolicyIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(l *routerLab)
		want  []string
	}{
		{"what is allowed is refused", func(l *routerLab) {
			l.in("r1", "nft insert rule inet r extra tcp dport 5432 reject with icmpx admin-prohibited")
		}, []string{"red: guest → guest X of blue (tcp 5432): nothing arrived, 10.3.0.1 says admin-prohibited"}},
		{"another port is let in", func(l *routerLab) {
			l.in("r1", "nft add rule inet r extra iifname eth0 oifname eth1 meta l4proto tcp accept")
		}, []string{"red: guest → guest X of blue (tcp): arrived as X"}},
		{"what is refused leaves", func(l *routerLab) {
			l.in("r1", "nft insert rule inet r extra iifname eth1 oifname uplink accept")
		}, []string{"blue: guest → outside 192.0.2.1 (tcp 25): left as 192.0.2.10"}},
		{"what is allowed arrives with the router's address", func(l *routerLab) {
			l.in("r1", "nft add rule inet r n iifname eth1 oifname eth0 masquerade")
		}, []string{"blue: guest → guest X of red (icmp): arrived as 10.3.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := policyLab(t)
			c.spoil(l)
			same(t, broken(verify(t, l.o)), c.want)
		})
	}
}

// TestPeersAndStancesAreProved has no rules but those of the lab's router, which
// keeps its networks apart.
func TestPeersAndStancesAreProved(t *testing.T) {
	t.Parallel()
	nets, routers := pair(spec.EgressRoute, spec.EgressMasquerade)
	nets["blue"].Peers = []string{"red"}
	nets["green"] = behind("green0")
	nets["green"].Policy = spec.StanceIsolated
	routers["r1"].Interfaces = append(routers["r1"].Interfaces, spec.Interface{Network: "green", Address: "10.5.0.1/24", Egress: spec.EgressRoute})
	l := newRouterLab(t, nets, routers)
	same(t, broken(verify(t, l.o)), []string{
		"blue: guest → guest X of red (icmp): nothing arrived",
		"red: guest → guest X of blue (icmp): nothing arrived",
		"red: guest → guest X of green (icmp): arrived as X",
		"green: guest → guest X of red (icmp): arrived as X",
		"green: guest → outside 192.0.2.1 (icmp): left as X",
		"green: guest → outside 192.0.2.1 (udp): left as X",
	})
	l.in("r1", "nft add rule inet r extra iifname { eth0, eth1 } oifname { eth0, eth1 } accept")
	l.in("r1", "nft insert rule inet r f iifname eth2 drop")
	l.in("r1", "nft insert rule inet r f oifname eth2 drop")
	same(t, broken(verify(t, l.o)), nil)
}

// TestAGatewayThatAPolicyClosesIsNotAsked is on the host.
func TestAGatewayThatAPolicyClosesIsNotAsked(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "10.1.0.1/24")})
	o := l.options()
	o.Policies = map[string]*spec.Policy{"mute": {From: "lab", To: "lab/gateway", Deny: []spec.Traffic{{Protocol: spec.ICMP}, {Protocol: spec.UDP, Ports: "53"}}}}
	same(t, broken(verify(t, o)), []string{"lab: guest → gateway 10.1.0.1 (ping): answered"})
	l.nft("add table inet x; add chain inet x i { type filter hook input priority 0; }; add rule inet x i iifname lab0 meta l4proto icmp drop; add rule inet x i iifname lab0 udp dport 53 drop")
	checks := verify(t, o)
	same(t, broken(checks), nil)
	var got []string
	for _, line := range lines(checks) {
		if strings.Contains(line, "gateway") {
			got = append(got, line)
		}
	}
	same(t, got, []string{
		"lab: guest → gateway 10.1.0.1 (ping): no answer: no answer",
		"lab: guest → name of the gateway by DNS 10.1.0.1 (udp): an answer of its own: not checked: policy mute refuses it",
		"lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): an answer of its own: an answer of its own",
	})
}
