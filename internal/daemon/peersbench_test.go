package daemon_test

import (
	"net/netip"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
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

// BenchmarkDHCPExchanges finds the highest rate of full exchanges of four
// messages that each server sustains; ours has every lease on disk before it is
// acknowledged. Run it with -benchtime 1x.
func BenchmarkDHCPExchanges(b *testing.B) {
	gateway := netip.MustParseAddr("10.9.0.1")
	b.Run("kvmnet", func(b *testing.B) {
		l := nstest.NewLab(b)
		m := newMachine(b, l.Machine.NS())
		m.start(0)
		m.apply(roomy)
		sustained(b, l.Guest(b, "perf", "lab0", "10.9.0.2/16"), gateway)
	})
	b.Run("dnsmasq", func(b *testing.B) {
		l := nstest.NewLab(b)
		if err := l.Machine.Bridge("lab0"); err != nil {
			b.Fatal(err)
		}
		if err := l.Machine.AddAddress("lab0", netip.PrefixFrom(gateway, 16)); err != nil {
			b.Fatal(err)
		}
		peers.Dnsmasq(b, l.Machine, peers.DnsmasqConfig{Device: "lab0", From: netip.MustParseAddr("10.9.16.0"), To: netip.MustParseAddr("10.9.255.254"),
			Lease: 3600, Domain: "lab.internal", Most: 100_000, Quiet: true})
		sustained(b, l.Guest(b, "perf", "lab0", "10.9.0.2/16"), gateway)
	})
}

func sustained(b *testing.B, h *testhost.Host, server netip.Addr) {
	b.Helper()
	for b.Loop() {
		best, err := peers.RateSearch{Clients: 1000}.Sustained(b.Context(), b, h, server)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(best.PerSecond, "exchanges/s")
		b.ReportMetric(float64(best.Delay.Microseconds()), "µs/offer")
	}
}
