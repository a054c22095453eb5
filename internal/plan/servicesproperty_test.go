package plan_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// drawServed makes a live spec with services on its subnets.
func drawServed(t *rapid.T) *spec.Spec {
	s := drawSpec(t, "")
	for name, n := range s.Networks {
		flip := func(what string) bool { return rapid.Bool().Draw(t, name+what) }
		for i := range n.Subnets {
			if sub := &n.Subnets[i]; flip(fmt.Sprint("dhcp", i)) {
				sub.DHCP = &spec.DHCP{Static: flip("static"), Hosts: map[string]spec.Reservation{}}
				guests := spec.GuestAddresses(sub.Address)
				if flip("host") && guests.To != sub.Address.Addr() {
					sub.DHCP.Hosts["vm1"] = spec.Reservation{IP: guests.To}
				}
			}
		}
		if n.Mode.Managed() && flip("dns") {
			n.DNS = &spec.DNS{Domain: rapid.SampledFrom([]string{"", "lab.internal", "Lab.internal", "red.internal"}).Draw(t, name+"domain")}
		}
	}
	return s
}

func TestServicesKeepTheirPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawServed(t)
		facts := plan.Facts{IPv6: rapid.Bool().Draw(t, "ipv6"), HostID: "host"}
		services := plan.Services(s, facts)
		if !reflect.DeepEqual(services, plan.Services(s, facts)) {
			t.Fatal("a second time they differ")
		}
		if !slices.IsSortedFunc(services, func(a, b plan.Service) int { return strings.Compare(a.Network, b.Network) }) {
			t.Fatal("not sorted")
		}
		for _, service := range services {
			for _, d := range []*plan.DHCP{service.DHCP4, service.DHCP6} {
				if d != nil {
					for _, scope := range d.Scopes {
						checkScope(t, scope)
					}
				}
			}
			if !facts.IPv6 && (service.RA != nil || service.DHCP6 != nil) {
				t.Fatalf("IPv6 without IPv6: %v", service.Lines())
			}
		}
	})
}

// checkScope checks that no address is promised twice.
func checkScope(t *rapid.T, s plan.Scope) {
	last := s.Prefix.Addr().Prev()
	for _, r := range s.Ranges {
		if !last.Less(r.From) && last.IsValid() || r.To.Less(r.From) || !s.Prefix.Contains(r.From) || !s.Prefix.Contains(r.To) {
			t.Fatalf("ranges %v of %s", s.Ranges, s.Prefix)
		}
		if !r.From.IsValid() || (!s.Server.Less(r.From) && !r.To.Less(s.Server)) {
			t.Fatalf("range %v contains the gateway", r)
		}
		last = r.To
	}
	addrs, macs := map[netip.Addr]bool{s.Server: true}, map[spec.MAC]bool{}
	for _, r := range s.Reservations {
		if addrs[r.Addr] || macs[r.MAC] || !s.Prefix.Contains(r.Addr) {
			t.Fatalf("reservations of %s: %v", s.Prefix, s.Reservations)
		}
		addrs[r.Addr], macs[r.MAC] = true, !r.MAC.IsZero()
	}
}

// The reverse zones of a prefix hold the names of all its addresses, and of no
// other address.
func TestReverseZonesCoverAPrefixExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v6 := rapid.Bool().Draw(t, "v6")
		base, bits := netip.MustParseAddr("10.77.77.77"), rapid.IntRange(8, 30).Draw(t, "bits")
		if v6 {
			base, bits = netip.MustParseAddr("fd12:3456:789a:bcde:f012:3456:789a:bcde"), rapid.IntRange(16, 126).Draw(t, "bits6")
		}
		p := netip.PrefixFrom(base, bits)
		zones := (&plan.DNS{Reverse: []netip.Prefix{p.Masked()}}).Zones()
		near := base.AsSlice()
		flip := rapid.IntRange(0, len(near)*8-1).Draw(t, "flip")
		near[flip/8] ^= 0x80 >> (flip % 8)
		a, _ := netip.AddrFromSlice(near)
		holds := 0
		for _, zone := range zones {
			if strings.HasSuffix(arpa(a), "."+zone) {
				holds++
			}
		}
		if want := map[bool]int{true: 1}[p.Contains(a)]; holds != want {
			t.Fatalf("%s is in %d zones of %s: %v", a, holds, p, zones)
		}
	})
}

// arpa is the name of an address, with a dot in front for a zone that is all of it.
func arpa(a netip.Addr) string {
	var labels []string
	for _, b := range a.AsSlice() {
		if a.Is4() {
			labels = append(labels, fmt.Sprint(b))
		} else {
			labels = append(labels, fmt.Sprintf("%x", b>>4), fmt.Sprintf("%x", b&15))
		}
	}
	slices.Reverse(labels)
	if a.Is4() {
		return "." + strings.Join(labels, ".") + ".in-addr.arpa"
	}
	return "." + strings.Join(labels, ".") + ".ip6.arpa"
}

// thousand is a host with a thousand networks, with a domain and a guest each.
func thousand() *spec.Spec {
	s := &spec.Spec{Networks: map[string]*spec.Network{}, Ports: map[string]*spec.Port{}}
	for i := range 1000 {
		name := fmt.Sprintf("n%04d", i)
		gateway := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 24)
		s.Networks[name] = &spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{{Address: gateway, DHCP: &spec.DHCP{}}}, DNS: &spec.DNS{Domain: name + ".internal"}}
		s.Ports["vm-"+name] = &spec.Port{Network: name, Addresses: []netip.Addr{gateway.Addr().Next()}}
	}
	s.Default()
	return s
}

func BenchmarkServicesOf1000Networks(b *testing.B) {
	s, facts := thousand(), plan.Facts{IPv6: true}
	for b.Loop() {
		if len(plan.Services(s, facts)) != 1000 {
			b.Fatal("some are missing")
		}
	}
}
