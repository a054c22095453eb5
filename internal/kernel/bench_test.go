package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// network is a bridge with its address, up, and with settings if asked for.
func network(i int, settings bool) []plan.Object {
	name := fmt.Sprintf("lab%d", i)
	objs := []plan.Object{bridge(name)}
	if settings {
		for _, s := range []plan.Sysctl{
			sysctl("ipv4", name, "forwarding", "1"), sysctl("ipv4", name, "arp_ignore", "1"), sysctl("ipv4", name, "arp_announce", "2"),
			sysctl("ipv6", name, "accept_ra", "0"), sysctl("ipv6", name, "autoconf", "0"),
		} {
			objs = append(objs, s)
		}
	}
	return append(objs, addr(name, fmt.Sprintf("10.%d.%d.1/24", i/250, i%250)), plan.Up{Mark: lab, Link: name})
}

func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("bridges=%d", n), func(b *testing.B) {
			w := newWorld(b)
			for i := range n {
				w.must(plan.Add, network(i, false)...)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				w.see()
			}
		})
	}
}

// BenchmarkNetwork compares one network made by Apply with the same made by bare
// requests of the library, in turns. It tells medians: all namespaces of the
// machine share the lock of rtnetlink, so a mean tells of the neighbours.
func BenchmarkNetwork(b *testing.B) {
	w := newWorld(b)
	at := vns.NsHandle(w.ns.Fd())
	h, err := netlink.NewHandleAt(at, unix.NETLINK_ROUTE)
	if err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	plain, full := network(0, false), network(0, true)
	makers := map[string]func(){
		"bare":          func() { bare(b, h) },
		"apply":         func() { w.must(plan.Add, plain...) },
		"apply+sysctls": func() { w.must(plan.Add, full...) },
	}
	times := map[string][]time.Duration{}
	for b.Loop() {
		for name, run := range makers {
			start := time.Now()
			run()
			times[name] = append(times[name], time.Since(start))
			if err := h.LinkDel(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "lab0"}}); err != nil {
				b.Fatal(err)
			}
		}
	}
	for name, all := range times {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"-µs")
	}
	b.ReportMetric(0, "ns/op")
}

func bare(b *testing.B, h *netlink.Handle) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = "lab0", net.HardwareAddr(mac[:])
	br := &netlink.Bridge{LinkAttrs: attrs}
	a, err := netlink.ParseAddr("10.0.0.1/24")
	if err := errors.Join(err, h.LinkAdd(br), h.AddrAdd(br, a), h.LinkSetUp(br)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkDeleteBridges compares deletion one by one with deletion by group.
func BenchmarkDeleteBridges(b *testing.B) {
	const n = 20
	for _, together := range []bool{false, true} {
		b.Run(fmt.Sprintf("n=%d/together=%v", n, together), func(b *testing.B) {
			w := newWorld(b)
			for b.Loop() {
				b.StopTimer()
				var links []plan.Object
				for i := range n {
					w.must(plan.Add, network(i, false)...)
					links = append(links, bridge(fmt.Sprintf("lab%d", i)))
				}
				b.StartTimer()
				if together {
					w.must(plan.Del, links...)
					continue
				}
				for _, l := range links {
					w.must(plan.Del, l)
				}
			}
		})
	}
}

// BenchmarkStartThousand makes 1,000 networks in one Apply, in the order of plan.
// Run it with -benchtime 1x: the kernel is busy for half a minute with what each
// round leaves, and all rtnetlink of the machine waits.
func BenchmarkStartThousand(b *testing.B) {
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		w := newWorld(b)
		state := plan.State{}
		for i := range n {
			state.Add(network(i, true)...)
		}
		ops := make([]plan.Op, 0, len(state))
		for _, o := range state.Sorted() {
			ops = append(ops, plan.Op{Verb: plan.Add, Object: o})
		}
		b.StartTimer()
		for _, err := range w.Apply(context.Background(), ops) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}
