package proof

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// ways are between two guests of a guarded network, between two of one that is not, and
// from a guest of each to the host.
func guardWays(b *testing.B) map[string][2]path {
	l := nstest.NewLab(b)
	m := daemontest.NewMachine(b, l.Machine.NS())
	m.Start(0)
	text, ports := "networks:\n", "ports:\n"
	for i, guard := range []string{"strict", "off"} {
		text += fmt.Sprintf("  net%d: {mode: nat, guard: %s, bridge: {name: net%d}, subnets: [{address: 10.20.%d.1/24}]}\n", i, guard, i, i)
		for k, name := range []string{"a", "b"} {
			ports += fmt.Sprintf("  %s%d: {network: net%d, type: veth, peer: %s%d-p, addresses: [10.20.%d.%d]}\n", name, i, i, name, i, i, 5+k)
		}
	}
	m.Apply(text + ports)
	m.Settled()
	w := &world{m, l, nil}
	ways := map[string][2]path{}
	for i := range 2 {
		var guests []*testhost.Host
		for k, name := range []string{"a", "b"} {
			guests = append(guests, w.benchPort(b, fmt.Sprint(name, i), fmt.Sprintf("10.20.%d.%d/24", i, 5+k)))
		}
		guest, host := ways["guest"], ways["host"]
		guest[i] = path{guests[0], guests[1], "eth0", addr(fmt.Sprintf("10.20.%d.6", i))}
		host[i] = path{guests[0], l.Machine, fmt.Sprint("net", i), addr(fmt.Sprintf("10.20.%d.1", i))}
		ways["guest"], ways["host"] = guest, host
	}
	m.Stop() // only the kernel is measured
	return ways
}

func (w *world) benchPort(b *testing.B, name, address string) *testhost.Host {
	b.Helper()
	h := nstest.Host(b, name)
	if err := h.Adopt(w.NS, name+"-p", "eth0"); err != nil {
		b.Fatal(err)
	}
	if err := h.AddAddress("eth0", netip.MustParsePrefix(address)); err != nil {
		b.Fatal(err)
	}
	return h
}

// BenchmarkGuardedPackets sends small datagrams, by turns on a network with strict
// guards and on one without.
func BenchmarkGuardedPackets(b *testing.B) {
	for to, ways := range guardWays(b) {
		b.Run("to="+to, func(b *testing.B) {
			var guarded, off []time.Duration
			for b.Loop() {
				guarded, off = append(guarded, ways[0].pace(b)), append(off, ways[1].pace(b))
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(1e9/float64(daemontest.Median(guarded))*1000, "packets/s")
			b.ReportMetric(1e9/float64(daemontest.Median(off))*1000, "packets/s-off")
			b.ReportMetric(float64(daemontest.Median(off))/float64(daemontest.Median(guarded)), "x-off")
		})
	}
}

// BenchmarkGuardedPacketsTCP fills a connection, by turns as above.
func BenchmarkGuardedPacketsTCP(b *testing.B) {
	for to, ways := range guardWays(b) {
		b.Run("to="+to, func(b *testing.B) {
			var guarded, off []time.Duration // of a gigabyte
			for b.Loop() {
				guarded, off = append(guarded, ways[0].fill(b)), append(off, ways[1].fill(b))
			}
			const gigabits = 8
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(gigabits/daemontest.Median(guarded).Seconds(), "Gbit/s")
			b.ReportMetric(gigabits/daemontest.Median(off).Seconds(), "Gbit/s-off")
			b.ReportMetric(float64(daemontest.Median(off))/float64(daemontest.Median(guarded)), "x-off")
		})
	}
}

// fill sends for a second and returns how long a gigabyte took to arrive.
func (p path) fill(b *testing.B) time.Duration {
	b.Helper()
	var l net.Listener
	if err := p.outside.NS().Do(func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(p.to, 0).String())
		return err
	}); err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	arrived := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			arrived <- 0
			return
		}
		defer c.Close()
		n, _ := io.Copy(io.Discard, c)
		arrived <- n
	}()
	var c net.Conn
	if err := p.guest.NS().Do(func() (err error) { c, err = net.Dial("tcp4", l.Addr().String()); return err }); err != nil {
		b.Fatal(err)
	}
	begin, block := time.Now(), make([]byte, 1<<16)
	for time.Since(begin) < time.Second {
		if _, err := c.Write(block); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	n := <-arrived
	if n == 0 {
		b.Fatal("nothing arrived")
	}
	return time.Duration(float64(time.Since(begin)) * float64(1<<30) / float64(n))
}
