package lab

import (
	"net/netip"
	"testing"

	"kvmnet/internal/spec"
)

// kinds are a network of each mode.
func kinds() map[string]*spec.Network {
	subnets := []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.1/24")}, {Address: netip.MustParsePrefix("fd00::1/64")}}
	off := false
	return map[string]*spec.Network{
		"silent":   {Mode: spec.Isolated},
		"isolated": {Mode: spec.Isolated, Subnets: subnets},
		"nat":      {Mode: spec.NAT, Subnets: subnets},
		"nat44":    {Mode: spec.NAT, Subnets: subnets, NAT: &spec.NATSettings{IPv6: &off}},
		"route":    {Mode: spec.Route, Subnets: subnets},
		"open":     {Mode: spec.Open, Subnets: subnets},
		"bridge":   {Mode: spec.Bridge},
	}
}

func TestPromisesOfAMode(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][4]string{
		// to its gateway, to the outside over IPv4 and IPv6, from the outside
		"silent":   {untold, no, no, no},
		"isolated": {yes, no, no, no},
		"nat":      {yes, rewritten, rewritten, no},
		"nat44":    {yes, rewritten, kept, no},
		"route":    {yes, kept, kept, kept},
		"open":     {yes, kept, kept, kept},
		"bridge":   {untold, kept, kept, kept},
	} {
		n := kinds()[name]
		if got := [4]string{atGateway(n), toOutside(n, v4), toOutside(n, v6), fromOutside(n)}; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPromisesBetweenNetworks(t *testing.T) {
	t.Parallel()
	to := []string{"silent", "isolated", "nat", "route", "open", "bridge"}
	for from, want := range map[string][6]string{
		"silent":   {no, no, no, no, no, no},
		"isolated": {no, no, no, no, no, no},
		"nat":      {no, no, no, no, no, rewritten},
		"route":    {no, no, no, kept, kept, kept},
		"open":     {no, no, no, kept, kept, kept},
		"bridge":   {no, no, no, kept, kept, kept},
	} {
		for i, other := range to {
			for _, f := range families {
				if got := between(kinds()[from], kinds()[other], f); got != want[i] {
					t.Errorf("%s to %s over %s: got %q, want %q", from, other, f, got, want[i])
				}
			}
		}
	}
	if got := between(kinds()["nat44"], kinds()["bridge"], v6); got != kept {
		t.Errorf("nat without IPv6 to bridge over IPv6: got %q, want %q", got, kept)
	}
}

func TestRoutedAreThoseWhoKeepTheirAddresses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{"silent": {}, "isolated": {}, "nat": {}, "nat44": {false, true},
		"route": {true, true}, "open": {true, true}, "bridge": {}} {
		if got := [2]bool{routed(kinds()[name], v4), routed(kinds()[name], v6)}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
