package daemon_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// roomy is a network with room for many clients behind one port, which speak
// through perfdhcp as through a relay agent.
const roomy = `
networks:
  lab:
    mode: nat
    bridge: {name: lab0}
    dhcp: {perPort: -1, rate: -1, leaseTime: 1h}
    subnets:
      - {address: 10.9.0.1/16, dhcp: {ranges: [10.9.16.0-10.9.255.254], relays: [10.9.0.2]}}
`

// BenchmarkDHCPExchanges finds the highest rate of full exchanges of four messages
// that each server sustains, for a thousand clients, while others hold leases. Ours
// has every lease on disk before it is acknowledged. Run it with -benchtime 1x.
func BenchmarkDHCPExchanges(b *testing.B) {
	gateway := netip.MustParseAddr("10.9.0.1")
	for _, held := range []int{100, 10_000, 50_000} {
		var ours, theirs float64
		b.Run(fmt.Sprintf("held=%d/kvmnet", held), func(b *testing.B) {
			l := nstest.NewLab(b)
			m := newMachine(b, l.Machine.NS())
			hold(b, filepath.Join(m.Dir, "var", "leases"), held)
			m.Start(0)
			m.Apply(roomy)
			ours = sustained(b, l.Guest(b, "perf", "lab0", "10.9.0.2/16"), gateway, 1000)
		})
		b.Run(fmt.Sprintf("held=%d/dnsmasq", held), func(b *testing.B) {
			l := nstest.NewLab(b)
			try(b, l.Machine.Bridge("lab0"))
			try(b, l.Machine.AddAddress("lab0", netip.PrefixFrom(gateway, 16)))
			peers.Dnsmasq(b, l.Machine, peers.DnsmasqConfig{Device: "lab0", From: netip.MustParseAddr("10.9.16.0"), To: netip.MustParseAddr("10.9.255.254"),
				Lease: 3600, Domain: "lab.internal", Most: 100_000, Quiet: true, Leases: dnsmasqLeases(held)})
			theirs = sustained(b, l.Guest(b, "perf", "lab0", "10.9.0.2/16"), gateway, 10)
			if theirs > 0 {
				b.ReportMetric(ours/theirs, "kvmnet/dnsmasq")
			}
		})
	}
}

// heldBy is a guest that holds a lease, and its address.
func heldBy(i int) (spec.MAC, netip.Addr) {
	return spec.MAC{0x52, 0x54, 2, byte(i >> 16), byte(i >> 8), byte(i)}, netip.AddrFrom4([4]byte{10, 9, byte(20 + i>>8), byte(i)})
}

// hold fills a lease book.
func hold(b *testing.B, dir string, n int) {
	b.Helper()
	book, err := lease.Open(dir, lease.Options{})
	try(b, err)
	for i := range n {
		mac, a := heldBy(i)
		_, err := book.Table("lab").Bind(lease.Client{MAC: mac, Port: "relay 10.9.0.2"}, a, 86400, nil)
		try(b, err)
	}
	try(b, book.Close())
}

// dnsmasqLeases is the same as dnsmasq keeps it.
func dnsmasqLeases(n int) string {
	var s strings.Builder
	for i := range n {
		mac, a := heldBy(i)
		fmt.Fprintf(&s, "%d %s %s * *\n", time.Now().Add(24*time.Hour).Unix(), mac, a)
	}
	return s.String()
}

func sustained(b *testing.B, h *testhost.Host, server netip.Addr, from int) float64 {
	b.Helper()
	var best peers.DHCPRate
	for b.Loop() {
		var err error
		best, err = peers.RateSearch{Clients: 1000, From: from}.Sustained(b.Context(), b, h, server)
		try(b, err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(best.PerSecond, "exchanges/s")
	b.ReportMetric(float64(best.Delay.Microseconds()), "µs/offer")
	return best.PerSecond
}
