package kernel

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestWhatWaitsOnAnIfbIsSentBeforeItGoes leads what a bridge sends over an ifb that
// would take some seconds for what waits there, and counts what comes out at a port.
func TestWhatWaitsOnAnIfbIsSentBeforeItGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ifb, shows := w.ledOver(plan.Shape{Rate: 64e3, Burst: 100 << 10})
	const frames = 150
	w.sendUDP("10.0.0.2:9", frames, 1)
	if n := w.waiting(w.link("ifbin_lab").Index); n < frames/5 {
		t.Fatalf("%d frames wait: not enough to lose any", n)
	}
	nstest.Run(t, w.ns, "nft", "delete", "table", "netdev", "t")
	w.must(plan.Del, ifb)
	shows(frames)
}

// TestBucketThatGetsSmallerKeepsNothingStuck: segments that were put together for a
// large bucket wait when it becomes a small one. They come out, and so does what comes
// behind them.
func TestBucketThatGetsSmallerKeepsNothingStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ifb, shows := w.ledOver(plan.Shape{Rate: 4e6, Burst: 100 << 10})
	const packets, segments = 3, 60 // of which the first passes at once
	w.sendUDP("10.0.0.2:9", packets, segments)
	if n := w.waiting(w.link(ifb.Name).Index); n == 0 {
		t.Fatal("nothing waits")
	}
	first := w.root(ifb.Name)
	w.must(plan.Set, plan.Shape{Mark: lab, Link: ifb.Name, Rate: 5e6})
	w.sendUDP("10.0.0.2:9", 1, 1)
	shows(packets*segments + 1)
	if now := w.root(ifb.Name); now != first {
		t.Errorf("qdisc %x took the place of %x", now, first)
	}
	equal(t, lines[plan.Shape](w), []string{"qdisc tbf dev ifbin_lab rate 5mbit"})
}

// ledOver leads what a bridge sends over an ifb with a limit, and returns a function
// that waits until so many frames came out at a port.
func (w *world) ledOver(s plan.Shape) (ifb plan.Link, shows func(frames int)) {
	w.Helper()
	ifb = plan.Link{Mark: lab, Name: "ifbin_lab", Type: "ifb", MTU: 1500, MAC: spec.MAC{2, 0, 0, 0, 0, 9}}
	s.Mark, s.Link = lab, ifb.Name
	w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"}, ifb, plan.Up{Link: ifb.Name}, s)
	nstest.Run(w, w.ns, "sh", "-ec", `ip link add port type veth peer guest
		ip link set port master lab0 up; ip link set guest up
		ip addr add 10.0.0.1/24 dev lab0
		ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev lab0
		nft 'table netdev t { chain c { type filter hook egress device "lab0" priority 0; fwd to "ifbin_lab"; }; }'
		nft 'table bridge u { chain c { type filter hook postrouting priority 0; udp dport 9 counter; }; }'`)
	eventually := func(command string, done func(out string) bool) {
		w.Helper()
		nstest.Eventually(w, 10*time.Second, func() error {
			if out := nstest.Run(w, w.ns, "sh", "-ec", command); !done(out) {
				return fmt.Errorf("%s shows:\n%s", command, out)
			}
			return nil
		})
	}
	eventually("bridge link show dev port", func(out string) bool { return strings.Contains(out, "state forwarding") })
	return ifb, func(frames int) {
		w.Helper()
		const headers = 20 + 8 // segments that come together have them once
		eventually("nft list table bridge u", func(out string) bool {
			var packets, bytes int
			_, counted, _ := strings.Cut(out, "counter ")
			fmt.Sscanf(counted, "packets %d bytes %d", &packets, &bytes)
			return bytes-packets*headers == frames*payload
		})
	}
}

// payload of a frame of these tests.
const payload = 972

// sendUDP sends packets of some segments each.
func (w *world) sendUDP(to string, packets, segments int) {
	w.Helper()
	if err := w.ns.Do(func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		raw, err := c.(*net.UDPConn).SyscallConn()
		if err != nil {
			return err
		}
		raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, payload) })
		for range packets {
			if _, err := c.Write(make([]byte, segments*payload)); err != nil {
				return err
			}
		}
		return err
	}); err != nil {
		w.Fatal(err)
	}
}

func TestTrafficCountsWhatLimitsDrop(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ifb, shows := w.ledOver(plan.Shape{Rate: 64e3, Burst: 20 << 10})
	const packets = 200
	w.sendUDP("10.0.0.2:9", packets, 1)
	all, err := w.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := all[ifb.Name]
	if got.TxDropped < packets/2 || got.TxDropped >= packets || all["port"].TxDropped > 0 {
		t.Errorf("of %d packets %+v", packets, got)
	}
	nstest.Run(t, w.ns, "nft", "delete", "table", "netdev", "t")
	w.must(plan.Del, ifb)
	shows(packets - int(got.TxDropped)) // no more and no less
}
