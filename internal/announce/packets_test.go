package announce

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// patience is for machines that do many things at once.
const patience = 20 * time.Second

// segment is a switch with a router on it, who it is taken for a while, and a
// neighbour who talked to that one last.
type segment struct {
	lan, router, before, neighbour *testhost.Host
	a                              *Announcer
}

var (
	moved4, moved6 = netip.MustParsePrefix("10.7.0.9/24"), netip.MustParsePrefix("fd00:7::9/64")
	routerMAC      = spec.GenerateMAC("router") // as nstest.Join makes it
)

func newSegment(t *testing.T) *segment {
	t.Helper()
	s := &segment{nstest.Host(t, "lan"), nstest.Host(t, "router"), nstest.Host(t, "before"), nstest.Host(t, "neighbour"), nil}
	must(t, s.lan.Bridge("lan0"))
	nstest.Join(t, s.router, s.lan, "lan0", prefix("10.7.0.2/24"), prefix("fd00:7::2/64"))
	nstest.Join(t, s.before, s.lan, "lan0", moved4, moved6)
	nstest.Join(t, s.neighbour, s.lan, "lan0", prefix("10.7.0.4/24"), prefix("fd00:7::4/64"))
	for _, a := range []netip.Prefix{moved4, moved6} {
		_, err := s.neighbour.Resolve(t.Context(), "eth0", a.Addr())
		must(t, err)
		must(t, s.before.DelAddress("eth0", a))
	}
	s.a = New(Options{Namespace: func(name string) (*netns.NS, bool) { return s.router.NS(), name == "r1" }})
	t.Cleanup(s.a.Close)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// knows waits until the neighbour takes the router for who has the address.
func (s *segment) knows(t *testing.T, a netip.Addr) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		out := nstest.Run(t, s.neighbour.NS(), "ip", "neigh", "show", a.String(), "dev", "eth0")
		if !strings.Contains(out, routerMAC.String()) {
			return fmt.Errorf("neighbour of %s is %q, want %s", a, out, routerMAC)
		}
		return nil
	})
}

func both(link string) []plan.Addr {
	return []plan.Addr{{NS: "r1", Link: link, Prefix: moved4}, {NS: "r1", Link: link, Prefix: moved6}}
}

func TestNeighboursLearnWhereAnAddressIsNow(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	must(t, s.router.Sysctl("net/ipv6/conf/eth0/forwarding", "1"))
	must(t, s.router.AddAddress("eth0", moved4, moved6))
	seen, err := s.neighbour.Capture(t.Context(), "eth0", s.isOurs)
	must(t, err)
	s.a.Announce(both("eth0"))
	s.knows(t, moved4.Addr())
	s.knows(t, moved6.Addr())
	nstest.Eventually(t, patience, func() error {
		if n := len(seen.Packets()); n != 3*rounds {
			return fmt.Errorf("%d frames", n)
		}
		return nil
	})
	checkFrames(t, seen.Packets())
}

// isOurs picks what the router says of the addresses unasked.
func (s *segment) isOurs(p testhost.Packet) bool {
	arp := p.Proto == testhost.ARP && p.Src == moved4.Addr() && p.Dst == moved4.Addr()
	return p.SrcMAC == routerMAC && (arp || p.Proto == testhost.ICMP && p.Type == 136 && p.Dst == netip.MustParseAddr("ff02::1"))
}

// checkFrames looks at the form and the times of all.
func checkFrames(t *testing.T, list []testhost.Packet) {
	t.Helper()
	for i, p := range list {
		if p.Proto == testhost.ICMP {
			if p.TTL != 255 || p.Src != moved6.Addr() || p.DstMAC != (spec.MAC{0x33, 0x33, 0, 0, 0, 1}) || p.Payload[0] != flagRouter|flagOverride {
				t.Errorf("%s, hop limit %d, flags %#x", p, p.TTL, p.Payload[0])
			}
			continue
		}
		want := spec.MAC{}
		if p.Op == 2 {
			want = routerMAC
		}
		if p.SenderMAC != routerMAC || p.TargetMAC != want || p.DstMAC != (spec.MAC{255, 255, 255, 255, 255, 255}) || int(p.Op) != i%3+1 {
			t.Errorf("%s, target %s", p, p.TargetMAC)
		}
	}
	if took := list[len(list)-1].At.Sub(list[0].At); took < 2*apart-200*time.Millisecond {
		t.Errorf("three rounds took %s", took)
	}
}

// The flags of an advertisement, as the wire has them.
const (
	flagRouter   = 1 << 7
	flagOverride = 1 << 5
)

func TestALinkWithoutCarrierIsTriedUntilItHasOne(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	must(t, s.lan.Down(nstest.PortName("router")))
	must(t, s.router.AddAddress("eth0", moved4))
	s.a.Announce(both("eth0")[:1])
	must(t, s.lan.Up(nstest.PortName("router")))
	s.knows(t, moved4.Addr())
}

func TestAnAddressThatComesLateIsTold(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	s.a.Announce(both("eth0"))
	must(t, s.router.AddAddress("eth0", moved4, moved6))
	s.knows(t, moved4.Addr())
	s.knows(t, moved6.Addr())
}

// Another router may have the address by now.
func TestAnAddressThatWentIsNotTold(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	must(t, s.router.AddAddress("eth0", moved4))
	seen, err := s.neighbour.Capture(t.Context(), "eth0", s.isOurs)
	must(t, err)
	s.a.Announce(both("eth0")[:1])
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = seen.Wait(ctx, func(testhost.Packet) bool { return true })
	must(t, err)
	must(t, s.router.DelAddress("eth0", moved4))
	must(t, s.router.AddAddress("eth0", prefix("10.7.0.10/24")))
	s.a.Announce([]plan.Addr{{NS: "r1", Link: "eth0", Prefix: prefix("10.7.0.10/24")}})
	other, err := s.neighbour.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return p.Src == netip.MustParseAddr("10.7.0.10") && p.Op == 1 })
	must(t, err)
	nstest.Eventually(t, patience, func() error { // two rounds of another address are time enough for this one
		if n := len(other.Packets()); n < 2 {
			return fmt.Errorf("%d frames of the other address", n)
		}
		return nil
	})
	if n := len(seen.Packets()); n != 2 {
		t.Errorf("told of an address that is gone: %v", seen.Packets())
	}
}

func TestNamespacesAndLinksThatAreGoneDoNoHarm(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	must(t, s.router.AddAddress("eth0", moved4))
	s.a.Announce([]plan.Addr{{NS: "r9", Link: "eth0", Prefix: moved4}, {NS: "r1", Link: "gone", Prefix: moved4}})
	s.a.Announce(both("eth0")[:1])
	s.knows(t, moved4.Addr())
}
