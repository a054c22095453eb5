package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

func TestNetworksAreTriedAgainstABoundedRing(t *testing.T) {
	t.Parallel()
	running := map[string]*spec.Network{}
	for i := range 100 {
		mode := spec.NAT
		if i%10 == 0 {
			mode = spec.Isolated
		}
		running[fmt.Sprintf("n%02d", i)] = network(mode, "b", fmt.Sprintf("10.1.%d.1/24", i))
	}
	running["n00-lan"] = network(spec.Bridge, "br0")
	running["n00-quiet"] = network(spec.Isolated, "q0")

	tried := map[string]int{}
	for name := range running {
		picked := others(running, name)
		if !slices.IsSorted(picked) || slices.Contains(picked, name) || len(picked) > 2*reach {
			t.Errorf("%s is tried against %q", name, picked)
		}
		for _, p := range picked {
			tried[p]++
		}
	}
	for name := range running {
		if alone := strings.Contains(name, "-"); (tried[name] == 0) != alone {
			t.Errorf("%s is tried by %d networks", name, tried[name])
		}
	}
	for name, want := range map[string]string{
		"n97":       "n00 n01 n02 n03 n04 n05 n10 n20 n30 n40 n50 n60 n70 n80 n98 n99",
		"n00-lan":   "",
		"n00-quiet": "n01 n02 n03 n04 n05 n06 n07 n08 n10 n20 n30 n40 n50 n60 n70 n80",
	} {
		if got := strings.Join(others(running, name), " "); got != want {
			t.Errorf("%s is tried against %s, want %s", name, got, want)
		}
	}
}

func TestFewNetworksAreAllTriedAgainstEachOther(t *testing.T) {
	t.Parallel()
	running := everyMode()
	if got := strings.Join(others(running, "web"), " "); got != "cell dmz lab wild" {
		t.Errorf("web is tried against %s", got)
	}
}

func TestSpareAddressesAreNobodysAndOutsideOfDHCPFirst(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	ranges := func(text string) *spec.DHCP {
		r, err := spec.ParseLeaseRange(text)
		try(t, err)
		return &spec.DHCP{Ranges: []spec.LeaseRange{r}, Hosts: map[string]spec.Reservation{"vm": {IP: addr("10.0.0.2")}}}
	}
	for _, c := range []struct {
		name string
		n    *spec.Network
		want string // all spare addresses, sorted; those DHCP gives out after a bar
	}{
		{"all but the gateway", network(spec.NAT, "b", "10.0.0.1/29"), "10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 |"},
		{"two hosts", network(spec.NAT, "b", "10.0.0.1/30"), "10.0.0.2 |"},
		{"point to point", network(spec.NAT, "b", "10.0.0.1/31"), "10.0.0.0 |"},
		{"a single address", network(spec.NAT, "b", "10.0.0.1/32"), "|"},
		{"IPv6", network(spec.NAT, "b", "fd00::1/125"), "fd00::2 fd00::3 fd00::4 fd00::5 fd00::6 |"},
		{"a range and a reservation", &spec.Network{Subnets: []spec.Subnet{
			{Address: netip.MustParsePrefix("10.0.0.1/29"), DHCP: ranges("10.0.0.3-10.0.0.4")},
		}}, "10.0.0.5 10.0.0.6 | 10.0.0.3 10.0.0.4"},
		{"everything is given out", &spec.Network{Subnets: []spec.Subnet{
			{Address: netip.MustParsePrefix("10.0.0.1/29"), DHCP: ranges("10.0.0.1-10.0.0.6")},
		}}, "| 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6"},
		{"names and next hops", &spec.Network{
			Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.1/29")}},
			DNS:     &spec.DNS{Hosts: map[string]spec.Addresses{"www": "10.0.0.4"}},
			Routes:  []spec.StaticRoute{{To: netip.MustParsePrefix("10.9.0.0/16"), Via: addr("10.0.0.5")}},
		}, "10.0.0.2 10.0.0.3 10.0.0.6 |"},
	} {
		got := spare(c.n, c.n.Subnets[0], nil, 10)
		cut := slices.IndexFunc(got, func(a netip.Addr) bool { return inRanges(c.n, a) })
		if cut < 0 {
			cut = len(got)
		}
		words := func(list []netip.Addr) string {
			var b strings.Builder
			for _, a := range slices.SortedFunc(slices.Values(list), netip.Addr.Compare) {
				b.WriteString(a.String() + " ")
			}
			return b.String()
		}
		if all := strings.TrimSpace(words(got[:cut]) + "| " + words(got[cut:])); all != c.want {
			t.Errorf("%s: %s, want %s", c.name, all, c.want)
		}
	}
}

func TestSpareAddressesOfWideSubnetsLieInside(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"10.0.0.1/8", "fd00::1/64", "fd00::1/48", "0.0.0.1/1", "2001:db8::1/3"} {
		n := network(spec.Route, "b", p)
		got := spare(n, n.Subnets[0], nil, 6)
		if len(got) != 6 {
			t.Errorf("%s has %d spare addresses, want 6", p, len(got))
		}
		for i, a := range got {
			if !n.Subnets[0].Address.Contains(a) || slices.Contains(got[:i], a) || a == n.Subnets[0].Address.Addr() {
				t.Errorf("%s: %s is outside, twice there or the gateway: %s", p, a, got)
			}
		}
	}
}

func TestInventedPrefixesOverlapNoNetwork(t *testing.T) {
	t.Parallel()
	running := map[string]*spec.Network{
		"bench": network(spec.NAT, "b", "198.18.0.1/16"),
		"docs":  network(spec.NAT, "d", "203.0.113.1/24", "2001:db8::1/32"),
		"far":   {Routes: []spec.StaticRoute{{To: netip.MustParsePrefix("198.51.100.0/24")}}},
	}
	for range 100 {
		if p := invented(running, false); p.Addr().As4()[1] != 19 {
			t.Fatalf("invented %s, which overlaps 198.18.0.0/16", p)
		}
		if p := invented(running, true); p.Bits() != 64 || p.Addr().As16()[0] != 0xfd {
			t.Fatalf("invented %s, which is not a unique local /64", p)
		}
	}
	if a := foreign(running, false); a != netip.MustParseAddr("192.0.2.77") {
		t.Errorf("foreign source %s, want 192.0.2.77", a)
	}
	if a := foreign(running, true); a.As16()[0] != 0xfd {
		t.Errorf("foreign source %s, want a unique local one", a)
	}
}
