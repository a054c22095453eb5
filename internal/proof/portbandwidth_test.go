package proof

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// bulk is a connection that sends as much as it can. What arrived is counted by the
// receiver's link: a busy machine may read late, but not count early.
type bulk struct {
	sender, receiver net.Conn
	to               *testhost.Host
	link             string // of the receiver
	headers          uint64 // of a packet of TCP that the link counts with it
	read             bool   // the link shows what a program has read
}

// A full frame of TCP is what limits count of it: 1,448 bytes go in one of 1,514. A
// link counts it with all headers, a bridge without that of Ethernet, and segments that
// come together as one packet.
const (
	frame, segment   = 1514, 1448
	headers, noEther = frame - segment, frame - segment - 14
)

func newBulk(t testing.TB, from, to *testhost.Host, address netip.Addr) *bulk {
	t.Helper()
	f := &bulk{to: to, link: "eth0", headers: headers}
	if to.Name() == "machine" {
		f.link, f.headers = "lab0", noEther
	}
	var l net.Listener
	if err := to.NS().Do(func() (err error) { l, err = net.Listen("tcp", ":0"); return err }); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).AddrPort().Port()
	err := from.NS().Do(func() (err error) {
		f.sender, err = net.DialTimeout("tcp", netip.AddrPortFrom(address, port).String(), patience)
		return err
	})
	if err == nil {
		f.receiver, err = l.Accept()
	}
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, f.receiver)
	go func() {
		for buf := make([]byte, 1<<16); ; {
			if _, err := f.sender.Write(buf); err != nil {
				return
			}
		}
	}()
	return f
}

func (f *bulk) end() { f.sender.Close(); f.receiver.Close() }

func (f *bulk) arrived(t testing.TB) (bytes uint64) {
	t.Helper()
	l, err := f.to.Netlink().LinkByName(f.link)
	if err != nil {
		t.Fatal(err)
	}
	count := l.Attrs().Statistics
	return (count.RxBytes - count.RxPackets*f.headers) * frame / segment
}

// rate measures for a while, in bits of frames a second. The clock runs longer than
// the count, never shorter.
func (f *bulk) rate(t testing.TB, window time.Duration) float64 {
	t.Helper()
	begin := time.Now()
	before := f.arrived(t)
	time.Sleep(window)
	bytes := f.arrived(t) - before
	return float64(bytes) * 8 / time.Since(begin).Seconds()
}

// holds wants a rate that is met within 5 %: never more, and no less once the sender
// and a busy machine have found their pace. What reaches a guest by a tap may wait for
// the program that reads it, and then come at once.
func (f *bulk) holds(t testing.TB, what string, want spec.Rate) {
	t.Helper()
	const window, tolerance = 700 * time.Millisecond, 0.05
	nstest.Eventually(t, patience, func() error {
		ratio := f.rate(t, window) / float64(want)
		if ratio > 1+tolerance && !f.read {
			t.Fatalf("%s: %.3f of %s", what, ratio, want)
		}
		if ratio < 1-tolerance || ratio > 1+tolerance {
			return fmt.Errorf("%s: %.3f of %s", what, ratio, want)
		}
		t.Logf("%s: %.3f of %s", what, ratio, want)
		return nil
	})
}

// free wants much more than any limit of these tests.
func (f *bulk) free(t testing.TB, what string) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		if got := f.rate(t, 200*time.Millisecond); got < 250e6 {
			return fmt.Errorf("%s: unlimited it makes %.0f Mbit/s", what, got/1e6)
		}
		return nil
	})
}

// limitedPort is a network with one port of ours, vm1, with a limit either way.
func limitedPort(kind, network, port string) string {
	more := ""
	if kind == "veth" {
		more = ", peer: vm1-p"
	}
	return fmt.Sprintf(`
networks: {lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]%s}}
ports: {vm1: {network: lab, type: %s, interface: vm1%s, mac: "52:54:00:00:00:01", addresses: [10.9.0.5]%s}}`, network, kind, more, port)
}

func bothWays(l string) string { return fmt.Sprintf(", bandwidth: {in: %[1]s, out: %[1]s}", l) }

// TestBandwidthOfAPortIsMet by what a guest sends and by what it receives, on a veth
// and on a tap, and follows each change under a running connection.
func TestBandwidthOfAPortIsMet(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"veth", "tap"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, limitedPort(kind, "", bothWays("20mbit")))
			vm := w.vm1(kind)
			for _, way := range []struct {
				name     string
				from, to *testhost.Host
				address  string
			}{{"out", vm, w.Lab.Machine, "10.9.0.1"}, {"in", w.Lab.Machine, vm, "10.9.0.5"}} {
				f := newBulk(t, way.from, way.to, addr(way.address))
				f.read = kind == "tap" && way.to == vm
				for _, l := range []struct {
					text string
					rate spec.Rate
				}{{"20mbit", 20e6}, {"5mbit", 5e6}, {"100mbit", 100e6}, {"", 0}, {"20mbit", 20e6}} {
					if l.rate == 0 {
						w.put(limitedPort(kind, "", ""))
						f.free(t, way.name)
						continue
					}
					w.put(limitedPort(kind, "", bothWays(l.text)))
					f.holds(t, way.name, l.rate)
				}
				f.end()
			}
		})
	}
}

// vm1 is the guest on the port vm1.
func (w *world) vm1(kind string) *testhost.Host {
	w.t.Helper()
	if kind == "veth" {
		return w.port("vm1", "10.9.0.5/24", "10.9.0.1")
	}
	return w.tap("vm1", "10.9.0.5/24", "10.9.0.1")
}

// TestBandwidthOfAPortHoldsBesideEverythingElse that looks at the same packets: the
// limit of the network, guests kept apart, guards, and br_netfilter. Of two limits the
// lower one counts, and both are left for the outside.
func TestBandwidthOfAPortHoldsBesideEverythingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		network, port, calls string
		want                 spec.Rate
	}{
		"the network's is higher": {bothWays("50mbit"), bothWays("20mbit"), "", 20e6},
		"the network's is lower":  {bothWays("10mbit"), bothWays("50mbit"), "", 10e6},
		"kept apart, with guards": {", isolated: true, guard: strict", bothWays("20mbit"), "", 20e6},
		"br_netfilter, with all":  {bothWays("50mbit") + ", isolated: true, guard: strict", bothWays("20mbit"), "1", 20e6},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := limitedPort("veth", c.network, c.port)
			w := newWorld(t, text)
			if c.calls != "" {
				w.bridgeCalls(c.calls)
			}
			vm := w.vm1("veth")
			if err := w.Outside.AddRoute(netip.MustParsePrefix("10.9.0.0/24"), nstest.Machine4); err != nil {
				t.Fatal(err)
			}
			for _, f := range []*bulk{newBulk(t, vm, w.Outside, nstest.Outside4), newBulk(t, w.Lab.Machine, vm, addr("10.9.0.5"))} {
				f.holds(t, name, c.want)
				f.end()
			}
			ask(t, everyProto(vm, nstest.Internet4.String(), nstest.Machine4.String()))
			if again := w.Apply(text); len(again.Ops) > 0 {
				t.Errorf("the second apply did\n%s", strings.Join(again.Ops, "\n"))
			}
		})
	}
}

// TestPeakAndBurstOfAPort: a burst lets a megabyte pass at once, a peak does not.
func TestPeakAndBurstOfAPort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limitedPort("veth", "", bothWays("8mbit burst 2048kb")))
	vm := w.vm1("veth")
	const megabyte, least = 1 << 20, 700 * time.Millisecond
	out := func() time.Duration { return transfer(t, vm.NS(), w.NS, addr("10.9.0.1"), megabyte) }
	in := func() time.Duration { return transfer(t, w.NS, vm.NS(), addr("10.9.0.5"), megabyte) }
	for name, send := range map[string]func() time.Duration{"out": out, "in": in} {
		w.put(limitedPort("veth", "", bothWays("8mbit burst 2048kb")))
		nstest.Eventually(t, patience, func() error {
			if took := send(); took >= least {
				return fmt.Errorf("%s: with room for it a megabyte took %s", name, took)
			}
			return nil
		})
		w.put(limitedPort("veth", "", bothWays("8mbit peak 9mbit burst 2048kb")))
		if took := send(); took < least {
			t.Errorf("%s: a megabyte at 9mbit took %s", name, took)
		}
	}
}

// TestLimitsOfPortsComeAndGoWithoutLoss pings a thousand times a second, from the guest
// and to it, while limits are set, changed and taken away.
func TestLimitsOfPortsComeAndGoWithoutLoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limitedPort("veth", "", ""))
	vm := w.vm1("veth")
	before := w.dump()
	var pings []*testhost.PingStream
	for _, way := range []struct {
		from *testhost.Host
		to   string
	}{{vm, "10.9.0.1"}, {w.Lab.Machine, "10.9.0.5"}, {vm, nstest.Internet4.String()}} {
		s, err := way.from.PingStream(t.Context(), addr(way.to), time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		pings = append(pings, s)
	}
	const rounds = 10 // of five changes
	for range rounds {
		for _, l := range []string{"{in: 100mbit}", "{in: 50mbit, out: 100mbit}", "{in: 50mbit peak 60mbit, out: 20mbit burst 512kb}", "{out: 30mbit}", ""} {
			if l != "" {
				l = ", bandwidth: " + l
			}
			w.put(limitedPort("veth", "", l))
		}
	}
	for _, s := range pings {
		if r := s.Stop(); r.Lost > 0 || r.Sent < 100*rounds {
			t.Errorf("pings: %+v", r)
		} else {
			t.Logf("%+v", r)
		}
	}
	nstest.Same(t, before, w.dump())
}

// TestLimitOfAPortOutlivesItsInterface: a tap or veth that somebody deleted comes back
// with its limit in force.
func TestLimitOfAPortOutlivesItsInterface(t *testing.T) {
	t.Parallel()
	w := newWorld(t, limitedPort("tap", "", bothWays("10mbit")))
	for range 2 {
		vm := w.tap("vm1", "10.9.0.5/24", "10.9.0.1")
		f := newBulk(t, vm, w.Lab.Machine, addr("10.9.0.1"))
		f.holds(t, "out", 10e6)
		f.end()
		f = newBulk(t, w.Lab.Machine, vm, addr("10.9.0.5"))
		f.read = true
		f.holds(t, "in", 10e6)
		f.end()
		before := linkNumber(t, w, "vm1")
		nstest.Run(t, w.NS, "ip", "link", "del", "vm1")
		nstest.Eventually(t, patience, func() error {
			if now := linkNumber(t, w, "vm1"); now == "" || now == before {
				return fmt.Errorf("vm1 has the number %q", now)
			}
			return nil
		})
		w.Settled()
	}
}

func linkNumber(t *testing.T, w *world, name string) string {
	t.Helper()
	number, _, _ := strings.Cut(nstest.Run(t, w.NS, "sh", "-c", "ip -o link show "+name+" 2>/dev/null || true"), ":")
	return number
}

// BenchmarkPortBandwidth sets limits of a guest and measures what of them passes each
// way, for three seconds after one to find the pace, over a single connection.
func BenchmarkPortBandwidth(b *testing.B) {
	l := nstest.NewLab(b)
	m := daemontest.NewMachine(b, l.Machine.NS())
	m.Start(0)
	m.Apply(limitedPort("veth", "", ""))
	m.Settled()
	vm := nstest.Host(b, "vm1")
	if err := vm.Adopt(m.NS, "vm1-p", "eth0"); err != nil {
		b.Fatal(err)
	}
	addressed(b, vm, "10.9.0.5/24", "10.9.0.1")
	for _, rate := range []spec.Rate{5e6, 20e6, 100e6, 1e9} {
		b.Run(rate.String(), func(b *testing.B) {
			m.Apply(limitedPort("veth", "", bothWays(rate.String())))
			m.Settled()
			for b.Loop() {
				out := newBulk(b, vm, l.Machine, addr("10.9.0.1")).settled(b)
				in := newBulk(b, l.Machine, vm, addr("10.9.0.5")).settled(b)
				b.ReportMetric(out/float64(rate), "out/set")
				b.ReportMetric(in/float64(rate), "in/set")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (f *bulk) settled(b *testing.B) float64 {
	defer f.end()
	f.rate(b, time.Second)
	return f.rate(b, 3*time.Second)
}
