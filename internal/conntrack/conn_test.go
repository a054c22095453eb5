package conntrack

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/testhost"
)

// world is client ── router ── server; the router does NAT in the manner of our
// program.
type world struct {
	*testing.T
	client, router, server *testhost.Host
	conn                   *Conn
}

// program marks what it lets begin, and rewrites: port 8080 of the router leads to
// the server, and what goes to port 7778 leaves with the router's address.
const program = `
table inet t {
	chain forward {
		type filter hook forward priority 0;
		ct direction reply accept
		ip6 daddr fd00:2::2 udp dport 7779 accept
		ct mark set 0x65
		ct label set 107 accept
	}
	chain prerouting {
		type nat hook prerouting priority -100;
		ip daddr 10.1.0.1 tcp dport 8080 dnat ip to 10.2.0.2:7777
		ip6 daddr fd00:1::1 tcp dport 8080 dnat ip6 to [fd00:2::2]:7777
	}
	chain postrouting {
		type nat hook postrouting priority 100;
		meta l4proto udp udp dport 7778 masquerade
	}
}`

const patience = 10 * time.Second

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t, nstest.Host(t, "client"), nstest.Host(t, "router"), nstest.Host(t, "server"), nil}
	for bridge, side := range map[string]struct {
		host *testhost.Host
		net  string
	}{"br1": {w.client, "1"}, "br2": {w.server, "2"}} {
		w.must(w.router.Bridge(bridge))
		w.must(w.router.AddAddress(bridge, netip.MustParsePrefix("10."+side.net+".0.1/24"), netip.MustParsePrefix("fd00:"+side.net+"::1/64")))
		nstest.Join(t, side.host, w.router, bridge, netip.MustParsePrefix("10."+side.net+".0.2/24"), netip.MustParsePrefix("fd00:"+side.net+"::2/64"))
		w.must(side.host.Gateways(netip.MustParseAddr("10."+side.net+".0.1"), netip.MustParseAddr("fd00:"+side.net+"::1")))
	}
	w.must(w.router.Forward(true))
	nstest.Run(t, w.router.NS(), "nft", program)
	nstest.Serve(t, w.server, 7777, 7778, 7779)
	var err error
	w.conn, err = Open(w.router.NS(), "r1")
	w.must(err)
	t.Cleanup(func() { w.must(w.conn.Close()) })
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// ask sends one probe from a chosen port and expects an answer.
func (w *world) ask(proto testhost.Proto, to string, from, port uint16) {
	w.Helper()
	p := testhost.Probe{Proto: proto, To: netip.MustParseAddr(to), FromPort: from, Port: port, Timeout: patience}
	if r := w.client.Probe(w.Context(), p); !r.OK {
		w.Fatalf("%s: %s", p, r)
	}
}

// to returns the flows to a destination and port, by IP protocol.
func (w *world) to(protocol uint8, dst string) []plan.Flow {
	w.Helper()
	list, err := w.conn.List()
	w.must(err)
	return slices.DeleteFunc(list, func(f plan.Flow) bool {
		return f.Protocol != protocol || f.Orig.Dst.Addr().String() != dst && f.Orig.Dst.String() != dst
	})
}

// only returns the one flow there must be.
func (w *world) only(protocol uint8, dst string) plan.Flow {
	w.Helper()
	list := w.to(protocol, dst)
	if len(list) != 1 {
		w.Fatalf("%d flows of protocol %d to %s: %+v", len(list), protocol, dst, list)
	}
	return list[0]
}

func end(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestListTellsBothDirectionsAndWhatWasRewritten(t *testing.T) {
	w := newWorld(t)
	w.ask(testhost.TCP, "10.1.0.1", 40001, 8080)
	w.ask(testhost.TCP, "fd00:1::1", 40002, 8080)
	w.ask(testhost.UDP, "10.2.0.2", 40003, 7778)
	w.ask(testhost.UDP, "10.2.0.2", 40004, 7777)
	w.ask(testhost.UDP, "fd00:2::2", 40005, 7779)
	flow := func(protocol uint8, src, dst, answers, to string) plan.Flow {
		return plan.Flow{NS: "r1", Protocol: protocol, Permitted: true, Mark: 0x65,
			Orig: plan.Tuple{Src: end(src), Dst: end(dst)}, Reply: plan.Tuple{Src: end(answers), Dst: end(to)}}
	}
	forward4 := flow(6, "10.1.0.2:40001", "10.1.0.1:8080", "10.2.0.2:7777", "10.1.0.2:40001")
	forward6 := flow(6, "[fd00:1::2]:40002", "[fd00:1::1]:8080", "[fd00:2::2]:7777", "[fd00:1::2]:40002")
	forward4.DNAT, forward6.DNAT = true, true
	masqueraded := flow(17, "10.1.0.2:40003", "10.2.0.2:7778", "10.2.0.2:7778", "10.2.0.1:40003")
	masqueraded.SNAT = true
	bare := flow(17, "[fd00:1::2]:40005", "[fd00:2::2]:7779", "[fd00:2::2]:7779", "[fd00:1::2]:40005")
	bare.Permitted, bare.Mark = false, 0
	for _, want := range []plan.Flow{
		forward4, forward6, masqueraded, bare,
		flow(17, "10.1.0.2:40004", "10.2.0.2:7777", "10.2.0.2:7777", "10.1.0.2:40004"),
	} {
		if got := w.only(want.Protocol, want.Orig.Dst.String()); got != want {
			t.Errorf("\ngot  %+v\nwant %+v", got, want)
		}
	}
}

func TestDeleteTakesTheAskedOneOnly(t *testing.T) {
	w := newWorld(t)
	for i := range uint16(5) {
		w.ask(testhost.UDP, "10.2.0.2", 41000+i, 7777)
		w.ask(testhost.UDP, "fd00:2::2", 41000+i, 7777)
		w.ask(testhost.TCP, "10.1.0.1", 41000+i, 8080)
	}
	for _, dst := range []string{"10.2.0.2:7777", "[fd00:2::2]:7777", "10.1.0.1:8080"} {
		protocol := uint8(unix.IPPROTO_UDP)
		if dst == "10.1.0.1:8080" {
			protocol = unix.IPPROTO_TCP
		}
		before := w.to(protocol, dst)
		if len(before) != 5 {
			t.Fatalf("%d flows to %s", len(before), dst)
		}
		for range 2 {
			w.must(w.conn.Delete(before[2]))
		}
		after := w.to(protocol, dst)
		if len(after) != 4 || slices.ContainsFunc(after, func(f plan.Flow) bool { return f.Orig == before[2].Orig }) {
			t.Errorf("after deleting %+v: %+v", before[2], after)
		}
	}
}

func TestDeleteFindsPings(t *testing.T) {
	w := newWorld(t)
	for dst, protocol := range map[string]uint8{"10.2.0.2": unix.IPPROTO_ICMP, "fd00:2::2": unix.IPPROTO_ICMPV6} {
		for range 2 {
			w.ask(testhost.ICMP, dst, 0, 0)
		}
		list := w.to(protocol, dst)
		if len(list) != 2 {
			t.Fatalf("%d pings to %s: %+v", len(list), dst, list)
		}
		w.must(w.conn.Delete(list[0]))
		if got := w.only(protocol, dst); got != list[1] {
			t.Errorf("left %+v, want %+v", got, list[1])
		}
	}
}

// TestDeleteEndsOneConnectionOfTwo shows it with the packets: one goes on.
func TestDeleteEndsOneConnectionOfTwo(t *testing.T) {
	w := newWorld(t)
	var streams []*testhost.TCPStream
	for range 2 {
		s, err := w.client.TCPStream(t.Context(), end("10.1.0.1:8080"))
		w.must(err)
		defer s.Stop()
		streams = append(streams, s)
	}
	// Without its entry the first is a stranger at port 8080 of the router.
	nstest.Run(t, w.router.NS(), "nft", "flush chain inet t prerouting")
	list := w.to(unix.IPPROTO_TCP, "10.1.0.1:8080")
	i := slices.IndexFunc(list, func(f plan.Flow) bool { return f.Orig.Src == streams[0].Seen() })
	if i < 0 {
		t.Fatalf("no flow of %s in %+v", streams[0].Seen(), list)
	}
	w.must(w.conn.Delete(list[i]))
	nstest.Eventually(t, patience, func() error {
		if streams[0].Report().Broken == "" {
			return errors.New("the deleted connection goes on")
		}
		return nil
	})
	before := streams[1].Report().Bytes
	nstest.Eventually(t, patience, func() error {
		if r := streams[1].Report(); r.Broken != "" || r.Bytes < before+1<<16 {
			return fmt.Errorf("the other one: %+v", r)
		}
		return nil
	})
}

func TestListLeavesOutZones(t *testing.T) {
	w := newWorld(t)
	nstest.Run(t, w.router.NS(), "nft", `table inet z { chain c { type filter hook prerouting priority raw; udp dport 7777 ct zone set 7; }; }`)
	w.ask(testhost.UDP, "10.2.0.2", 40001, 7777)
	if list := w.to(unix.IPPROTO_UDP, "10.2.0.2:7777"); len(list) > 0 {
		t.Errorf("listed: %+v", list)
	}
}

func TestListOfANamespaceWithoutConnections(t *testing.T) {
	ns := nstest.NS(t)
	c, err := Open(ns, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if list, err := c.List(); err != nil || len(list) > 0 {
		t.Errorf("got %v %v", list, err)
	}
	if err := c.Delete(plan.Flow{Protocol: 6, Orig: plan.Tuple{Src: end("10.0.0.1:1"), Dst: end("10.0.0.2:2")}}); err != nil {
		t.Error(err)
	}
}

func FuzzParseDoesNotPanic(f *testing.F) {
	r := tupleAttr(plan.Flow{Protocol: 1, Orig: plan.Tuple{Src: end("10.0.0.1:1"), Dst: end("10.0.0.2:2048")}})
	f.Add(append([]byte{2, 0, 0, 0}, r.Serialize()...))
	f.Fuzz(func(_ *testing.T, b []byte) { parse(b) })
}
