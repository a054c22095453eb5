package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// Ordinary sockets leave the checksum to the device, and a veth to its peer, so
// their frames reach the bridge with none.
func TestLinkHearsOrdinarySockets(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	c4, c6 := listenAt(t, guest.NS(), "0.0.0.0:68"), listenAt(t, guest.NS(), "[::]:546")
	for _, c := range []struct {
		conn     *net.UDPConn
		kind, to string
		from     netip.Addr
	}{
		{c4, "dhcp4", "10.7.0.1:67", guest4},
		{c6, "dhcp6", "[fd00:7::1]:547", guest6},
		{c6, "dhcp6", "[ff02::1:2%eth0]:547", netip.Addr{}},
	} {
		to := netip.MustParseAddrPort(c.to)
		text := "hello " + c.to
		must(t, guest.NS().Do(func() error { // resolves the zone
			_, err := c.conn.WriteTo([]byte(text), net.UDPAddrFromAddrPort(to))
			return err
		}))
		p := heard.wait(t, c.kind, says(text))
		if p.MAC != guestMAC || p.To != netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()) || c.from.IsValid() && p.From.Addr() != c.from {
			t.Errorf("to %s: %+v", c.to, p)
		}
	}
	if n := l.Counters(); n.Malformed != 0 || n.Received < 3 || n.Lost != 0 {
		t.Errorf("%+v", n)
	}
}

func TestLinkDropsAndCountsWhatIsBroken(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	from := openLink(t, guest.NS(), "eth0", &record{})
	to, err := machine.MAC("lab0")
	must(t, err)
	for _, p := range []Packet{discover, solicit6, routers} {
		f := built(t, p)
		inject(t, from, f.etherType, to, f.body)
		f.body = slices.Clone(f.body)
		f.body[len(f.body)-1]++
		inject(t, from, f.etherType, to, f.body)
	}
	long := discover
	long.Payload = make([]byte, 1400)
	f := built(t, long)
	inject(t, from, f.etherType, to, f.body)
	heard.wait(t, "dhcp4", func(p Packet) bool { return len(p.Payload) == 1400 })
	heard.wait(t, "dhcp4", says("discover"))
	heard.wait(t, "dhcp6", says("solicit!!"))
	if p := heard.wait(t, "solicit", func(p Packet) bool { return p.From == routers.From }); p.HopLimit != 255 || p.To != routers.To {
		t.Errorf("%+v", p)
	}
	nstest.Eventually(t, patience, func() error {
		if n := l.Counters().Malformed; n != 3 {
			return fmt.Errorf("%d malformed, want 3", n)
		}
		return nil
	})
	if len(heard.heard) != 4 && !slices.Contains(heard.kinds, "solicit") {
		t.Errorf("heard %v", heard.kinds)
	}
}

func TestLinkIgnoresWhatIsNotForUs(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	from := openLink(t, guest.NS(), "eth0", &record{})
	fragment := built(t, discover)
	fragment.body[6] |= 0x20
	resum(&fragment)
	other := discover
	other.To = netip.MustParseAddrPort("255.255.255.255:68")
	inject(t, from, fragment.etherType, broadcast, fragment.body)
	f := built(t, other)
	inject(t, from, f.etherType, broadcast, f.body)
	f = built(t, discover)
	inject(t, from, unix.ETH_P_8021Q, broadcast, append([]byte{0, 7, 8, 0}, f.body...))
	// Somebody listens to what goes from guest to guest.
	nstest.Run(t, machine.NS(), "ip", "link", "set", "lab0", "promisc", "on")
	inject(t, from, f.etherType, spec.GenerateMAC("other guest"), f.body)
	inject(t, l, f.etherType, broadcast, f.body)
	inject(t, from, f.etherType, broadcast, f.body)
	heard.wait(t, "dhcp4", says("discover"))
	if n := l.Counters(); n.Received != n.Tagged+1 || n.Tagged > 1 || n.Malformed != 0 {
		t.Errorf("%+v, want the one datagram and no more than the tagged one", n)
	}
}

// insists receives a UDP datagram as a client does that reads frames and trusts
// no device with checksums, and returns its payload.
func insists(t *testing.T, c *conn, port uint16) []byte {
	t.Helper()
	r := newReader[*batch](c, &batches)
	for {
		b, err := r.next()
		must(t, err)
		for i := range b.n {
			body, _ := b.message(i)
			status, _ := auxiliary(b.ancillary(i, unix.SOL_PACKET, unix.PACKET_AUXDATA))
			if etherType, _ := b.names[i].frame(); etherType != unix.ETH_P_IP || body[9] != unix.IPPROTO_UDP || binary.BigEndian.Uint16(body[22:]) != port {
				continue
			}
			if status&unix.TP_STATUS_CSUMNOTREADY != 0 {
				t.Errorf("the frame came with an unfinished checksum")
			}
			verify(t, body)
			return slices.Clone(body[28:binary.BigEndian.Uint16(body[2:])])
		}
	}
}

// verify sums the plain way of RFC 1071, word by word.
func verify(t *testing.T, body []byte) {
	t.Helper()
	plain := func(s uint32, b []byte) uint32 {
		for i := range b {
			s += uint32(b[i]) << (8 * (1 - i%2))
		}
		return s
	}
	fold := func(s uint32) uint32 { s = s&0xffff + s>>16; return s&0xffff + s>>16 }
	if s := fold(plain(0, body[:20])); s != 0xffff {
		t.Errorf("IP header sums to %x", s)
	}
	udp := body[20:binary.BigEndian.Uint16(body[2:])]
	if s := fold(plain(unix.IPPROTO_UDP+uint32(len(udp)), append(slices.Clone(body[12:20]), udp...))); s != 0xffff || udp[6] == 0 && udp[7] == 0 {
		t.Errorf("UDP sums to %x", s)
	}
}

func TestAnswersSatisfyClientsThatInsistOnChecksums(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	l := openLink(t, machine.NS(), "lab0", &record{})
	client, err := open(guest.NS(), unix.AF_PACKET, unix.SOCK_DGRAM, 0, func(fd int) error {
		index, err := indexOf(fd, "eth0")
		if err != nil {
			return err
		}
		if err := set(fd, option{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1}); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: swapped(unix.ETH_P_IP), Ifindex: index})
	})
	must(t, err)
	defer client.close()
	for _, payload := range []string{"offer", "offer with an odd number of bytes!", ""} {
		must(t, l.Send(Packet{
			MAC: guestMAC, From: netip.AddrPortFrom(host4, 67), To: netip.MustParseAddrPort("10.7.0.99:68"), // not its address yet
			Payload: []byte(payload),
		}))
		if got := string(insists(t, client, 68)); got != payload {
			t.Errorf("got %q, want %q", got, payload)
		}
	}
}

func TestAnswersReachOrdinarySockets(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	l := openLink(t, machine.NS(), "lab0", &record{})
	mac, err := machine.MAC("lab0")
	must(t, err)
	for _, c := range []struct{ listen, from, to string }{
		{"0.0.0.0:68", "10.7.0.1:67", "255.255.255.255:68"},
		{"[::]:546", "[fe80::1]:547", "[fd00:7::2]:546"},
	} {
		conn := listenAt(t, guest.NS(), c.listen)
		must(t, l.Send(Packet{MAC: guestMAC, From: netip.MustParseAddrPort(c.from), To: netip.MustParseAddrPort(c.to), Payload: []byte("reply")}))
		buf := make([]byte, 100)
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		must(t, err)
		if from = netip.AddrPortFrom(from.Addr().WithZone("").Unmap(), from.Port()); string(buf[:n]) != "reply" || from != netip.MustParseAddrPort(c.from) {
			t.Errorf("got %q from %s, want the reply from %s", buf[:n], from, c.from)
		}
	}
	// The guest's kernel takes a default route from an advertisement only if all
	// of it is right (RFC 4861 section 6.1.2).
	must(t, guest.Sysctl("net/ipv6/conf/eth0/accept_ra", "2"))
	must(t, l.Send(Packet{
		MAC: spec.MAC{0x33, 0x33, 0, 0, 0, 1}, From: netip.MustParseAddrPort("[fe80::77]:0"), To: netip.MustParseAddrPort("[ff02::1]:0"),
		Payload: append([]byte{134, 0, 1, 1, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, mac[:]...),
	}))
	nstest.Eventually(t, patience, func() error {
		if out := nstest.Run(t, guest.NS(), "ip", "-6", "route", "show", "default"); !strings.Contains(out, "fe80::77") {
			return fmt.Errorf("no route: %q", out)
		}
		return nil
	})
}

// A host that lets nothing in or out, as ufw makes it, still serves its guests.
func TestFirewallDoesNotBreakService(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	nstest.Run(t, machine.NS(), "nft", `add table inet f
		add chain inet f in { type filter hook input priority -300; policy drop; }
		add chain inet f out { type filter hook output priority -300; policy drop; }`)
	answers := &echo{ready: make(chan struct{}), payload: []byte("ack")}
	answers.link = openLink(t, machine.NS(), "lab0", answers)
	close(answers.ready)
	heard := &record{}
	client := openLink(t, guest.NS(), "eth0", heard)
	must(t, client.Send(Packet{MAC: broadcast, From: netip.AddrPortFrom(guest4, 68), To: netip.AddrPortFrom(host4, 67)}))
	heard.wait(t, "dhcp4", says("ack"))
}

func TestProbeFindsWhoHasAnAddress(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	must(t, l.Probe(netip.MustParseAddr("10.7.0.99")))
	must(t, l.Probe(guest4))
	p := heard.wait(t, "arp", func(p Packet) bool { return p.From.Addr() == guest4 })
	if p.MAC != guestMAC || len(heard.kinds) != 1 {
		t.Errorf("%v %v, want one answer of the guest", heard.kinds, heard.heard)
	}
	if out := nstest.Run(t, guest.NS(), "ip", "neigh"); strings.Contains(out, "10.7.0.1 ") {
		t.Errorf("the probe changed the guest's ARP table: %q", out)
	}
	if err := l.Probe(guest6); err == nil {
		t.Error("an IPv6 address was probed")
	}
}

func TestLinkEndsWithItsBridge(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	l := openLink(t, machine.NS(), "lab0", &record{})
	if !l.Alive() {
		t.Fatal("the link is not alive")
	}
	nstest.Run(t, machine.NS(), "ip", "link", "del", "lab0")
	nstest.Eventually(t, patience, func() error { return ended(l) })
	if err := l.Send(discover); !errors.Is(err, unix.ENXIO) && !errors.Is(err, unix.ENODEV) {
		t.Errorf("send: %v, want ENXIO", err)
	}
	if err := l.Probe(guest4); err == nil {
		t.Error("probe on no bridge")
	}
	must(t, l.Close())
	must(t, l.Close())
}

func TestLinkOutlivesABridgeThatIsDown(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	must(t, machine.Down("lab0"))
	l := openLink(t, machine.NS(), "lab0", heard)
	if err := l.Send(discover); !errors.Is(err, unix.ENETDOWN) {
		t.Errorf("send: %v, want ENETDOWN", err)
	}
	must(t, machine.Up("lab0"))
	from := openLink(t, guest.NS(), "eth0", &record{})
	nstest.Eventually(t, patience, func() error {
		return from.Send(Packet{MAC: broadcast, From: discover.From, To: discover.To, Payload: []byte("up")})
	})
	heard.wait(t, "dhcp4", says("up"))
	must(t, machine.Down("lab0"))
	nstest.Run(t, machine.NS(), "ip", "link", "del", "lab0")
	nstest.Eventually(t, patience, func() error { return ended(l) })
}

func TestMadeAgainBridgeHasAnotherIndex(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	before := openLink(t, machine.NS(), "lab0", &record{})
	nstest.Run(t, machine.NS(), "ip", "link", "del", "lab0")
	must(t, machine.Bridge("lab0"))
	after := openLink(t, machine.NS(), "lab0", &record{})
	if before.index == after.index || after.index == 0 {
		t.Errorf("indexes %d and %d", before.index, after.index)
	}
}

func TestStormDoesNotKeepALinkFromClosing(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	from := openLink(t, guest.NS(), "eth0", &record{})
	stop := make(chan struct{})
	var storm sync.WaitGroup
	for range 2 {
		storm.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					from.Send(Packet{MAC: broadcast, From: discover.From, To: discover.To, Payload: []byte("storm")})
				}
			}
		})
	}
	heard.wait(t, "dhcp4", says("storm"))
	must(t, l.Close())
	before := len(heard.heard)
	close(stop)
	storm.Wait()
	if len(heard.heard) != before {
		t.Error("the handler was called after Close")
	}
}

func TestLinkIsSentOnFromManyGoroutines(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	heard := &record{}
	openLink(t, machine.NS(), "lab0", heard)
	from := openLink(t, guest.NS(), "eth0", &record{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 20 {
				text := fmt.Appendf(nil, "%d/%d", i, j)
				if err := from.Send(Packet{MAC: broadcast, From: discover.From, To: discover.To, Payload: text}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range 8 {
		for j := range 20 {
			heard.wait(t, "dhcp4", says(fmt.Sprintf("%d/%d", i, j)))
		}
	}
}

func TestLinkOnNoBridge(t *testing.T) {
	t.Parallel()
	if _, err := OpenLink(nstest.NS(t), "none0", &record{}); !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), "none0") {
		t.Errorf("got %v, want ENODEV and the name", err)
	}
}
