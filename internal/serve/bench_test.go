package serve

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// BenchmarkNothingToDo is what a pass costs here when nothing changed.
func BenchmarkNothingToDo(b *testing.B) {
	book, err := lease.Open(b.TempDir(), lease.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	h := host{links: map[string]int{}}
	s := New(Options{Kernel: h, Book: book, Log: slog.New(slog.DiscardHandler)})
	for i, w := range thousand() {
		h.links[w.Bridge] = i + 1
		n := newNetwork(s, w)
		n.place, _ = s.placeOf("")
		n.index, n.have = i+1, w
		s.networks[n.at] = n
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		want := thousand()
		b.StartTimer()
		s.Farewell(want)
		if problems := s.Set(want, plan.State{}); len(problems) != 0 {
			b.Fatal(problems)
		}
	}
}

// thousand is the services of a thousand networks of both families, with a
// reservation each.
func thousand() []plan.Service {
	live := &spec.Spec{Networks: map[string]*spec.Network{}}
	for i := range 1000 {
		name := fmt.Sprintf("n%04d", i)
		four := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 24)
		six := netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfd, 9, 0, 0, 0, 0, byte(i >> 8), byte(i), 15: 1}), 64)
		live.Networks[name] = &spec.Network{
			Mode: spec.NAT, DNS: &spec.DNS{Domain: name + ".internal"},
			Subnets: []spec.Subnet{
				{Address: four, DHCP: &spec.DHCP{Hosts: map[string]spec.Reservation{"vm1": {MAC: guestMAC, IP: four.Addr().Next()}}}},
				{Address: six, DHCP: &spec.DHCP{}},
			},
		}
	}
	live.Default()
	return plan.Services(live, plan.Facts{IPv6: true})
}
