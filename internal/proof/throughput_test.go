package proof

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/ipv4"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// BenchmarkPackets sends small datagrams from a guest to the outside for a second,
// by turns over a NAT network of kvmnet and over a bare bridge with one masquerade
// rule on a machine of its own. What counts is what arrives outside.
func BenchmarkPackets(b *testing.B) {
	for _, networks := range []int{1, 1000} {
		b.Run(fmt.Sprintf("networks=%d", networks), func(b *testing.B) {
			ours, bare := managedPath(b, networks), barePath(b)
			var a, c []time.Duration // of 1,000 packets
			for b.Loop() {
				a, c = append(a, ours.pace(b)), append(c, bare.pace(b))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e9/float64(daemontest.Median(a))*1000, "packets/s")
			b.ReportMetric(1e9/float64(daemontest.Median(c))*1000, "packets/s-bare")
			b.ReportMetric(float64(daemontest.Median(c))/float64(daemontest.Median(a)), "x-bare")
		})
	}
}

// path is a way from a guest to the outside.
type path struct {
	guest, outside *testhost.Host
	nic            string // by which it comes in
	to             netip.Addr
}

func managedPath(b *testing.B, networks int) path {
	l := nstest.NewLab(b)
	m := daemontest.NewMachine(b, l.Machine.NS())
	m.Start(0)
	text := "networks:\n"
	for i := range networks {
		text += fmt.Sprintf("  net%d: {mode: nat, subnets: [{address: 10.%d.%d.1/24}]}\n", i, 20+i/250, i%250)
	}
	m.Apply(text)
	m.Settled()
	m.Stop() // only the kernel is measured
	return path{l.Guest(b, "guest", "net0", "10.20.0.7/24", "10.20.0.1"), l.Outside, "eth0", nstest.Outside4}
}

// barePath is what a script makes by hand.
func barePath(b *testing.B) path {
	l := nstest.NewLab(b)
	for _, args := range [][]string{
		{"ip", "link", "add", "net0", "type", "bridge"}, {"ip", "addr", "add", "10.20.0.1/24", "dev", "net0"}, {"ip", "link", "set", "net0", "up"},
		{"sysctl", "-qw", "net.ipv4.ip_forward=1"},
		{"nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post ip saddr 10.20.0.0/24 oifname eth0 masquerade"},
	} {
		nstest.Run(b, l.Machine.NS(), args[0], args[1:]...)
	}
	return path{l.Guest(b, "guest", "net0", "10.20.0.7/24", "10.20.0.1"), l.Outside, "eth0", nstest.Outside4}
}

// pace sends for a second and returns how long 1,000 packets took to arrive.
func (p path) pace(b *testing.B) time.Duration {
	b.Helper()
	var conn *net.UDPConn
	if err := p.guest.NS().Do(func() (err error) {
		conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.to, testhost.EchoPort+1)))
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	var sink net.PacketConn // else each packet is answered with a refusal
	if err := p.outside.NS().Do(func() (err error) {
		sink, err = net.ListenPacket("udp4", fmt.Sprintf(":%d", testhost.EchoPort+1))
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	batch := make([]ipv4.Message, 64)
	for i := range batch {
		batch[i].Buffers = [][]byte{make([]byte, 18)}
	}
	sender, before, begin := ipv4.NewPacketConn(conn), p.arrived(b), time.Now()
	for time.Since(begin) < time.Second {
		sender.WriteBatch(batch, 0) // refusals of earlier ones come back as errors
	}
	took, arrived := time.Since(begin), p.arrived(b)-before
	if arrived < 1000 {
		b.Fatalf("%d packets arrived", arrived)
	}
	return took * 1000 / time.Duration(arrived)
}

// arrived is how many packets the outside has taken in.
func (p path) arrived(b *testing.B) (n int64) {
	b.Helper()
	for line := range strings.Lines(nstest.Run(b, p.outside.NS(), "cat", "/proc/net/dev")) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), p.nic+":"); ok {
			var bytes int64
			fmt.Sscan(rest, &bytes, &n)
		}
	}
	return n
}
