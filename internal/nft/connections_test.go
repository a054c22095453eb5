package nft

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// A stranger forges a packet from a NAT guest to his friend, which the host
// forwards: conntrack expects the answer. What the friend sends is none.
func TestNSForgedRequestOpensNoWayIn(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"out0", "route", []string{"outbound"}},
		network{"iso0", "isolated", []string{"closed"}})
	l.apply(plan.Set, append(stance("out0", "nat", "nat"), stance("iso0", "closed", "closed")...)...)
	for _, name := range []string{"nat", "outbound", "closed"} {
		t.Run(name, func(t *testing.T) { forge(t, l, l.machines[name]) })
	}
	if l.packets("inbound") == 0 || l.packets("isolated") == 0 {
		t.Error("nothing was refused: the packets did not come this way")
	}
}

func forge(t *testing.T, l *lab, guest *machine) {
	stranger, friend := l.machines["outside"], l.machines["other"]
	const service, expected = 5353, 7001
	heard := guest.listen(t, service)
	for _, a := range []struct{ guest, friend netip.Addr }{{guest.v4, friend.v4}, {guest.v6, friend.v6}} {
		stranger.assume(a.guest)
		forged, trespass := "forged for "+a.guest.String(), "trespass to "+a.guest.String()
		stranger.datagram(t, forged, netip.AddrPortFrom(a.guest, service), netip.AddrPortFrom(a.friend, expected))
		for range 3 {
			friend.datagram(t, trespass, netip.AddrPortFrom(a.friend, expected), netip.AddrPortFrom(a.guest, service))
		}
		settle(t, l.machines["nat"], a.friend) // what was on its way has arrived
		heard.SetReadDeadline(time.Now().Add(no))
		if n, from, err := heard.ReadFrom(make([]byte, 128)); err == nil {
			t.Errorf("a forged request let the friend in to %s: %d bytes from %s", a.guest, n, from)
		}
	}
}

// listen opens a UDP port for both families.
func (m *machine) listen(t *testing.T, port int) (conn net.PacketConn) {
	t.Helper()
	err := m.ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{Port: port})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// datagram sends one from one port to another.
func (m *machine) datagram(t *testing.T, payload string, from, to netip.AddrPort) {
	t.Helper()
	err := m.ns.Do(func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(payload))
		return err
	})
	if err != nil && !errors.Is(err, syscall.ECONNREFUSED) { // the host's refusal of the one before
		t.Fatal(err)
	}
}

func TestNSForeignTrafficPassesUntouched(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}})
	before := map[string]uint64{}
	for _, reason := range []string{"spoofed", "isolated", "other-network", "inbound", "pinned", "held", "invalid"} {
		before[reason] = l.packets(reason)
	}
	outside, other := l.machines["outside"], l.machines["other"]
	other.ip("addr add 198.51.100.77/32 dev eth0")
	for _, to := range []netip.Addr{other.v4, other.v6} {
		saw, err := outside.reach("tcp", to, yes)
		if err != nil || saw != map[bool]string{true: outside.v4.String(), false: outside.v6.String()}[to.Is4()] {
			t.Errorf("outside to %s: seen as %q, %v", to, saw, err)
		}
	}
	// Asymmetric sources are the host's affair on interfaces that are not ours.
	outside.assume(netip.MustParseAddr("198.18.0.9"))
	if err := outside.send("asymmetric", netip.MustParseAddr("198.18.0.9"), other.v4); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the asymmetric packet arrives", func() bool { return other.heard("asymmetric") })
	for reason, n := range before {
		if got := l.packets(reason); got != n {
			t.Errorf("foreign traffic counted as %s", reason)
		}
	}
}

func TestNSInvalidPacketsPassInNeitherDirection(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"guest"}})
	guest, outside := l.machines["guest"], l.machines["outside"]
	settle(t, guest, outside.v4)
	for _, c := range []struct{ from, to *machine }{{guest, outside}, {outside, guest}} {
		tap := listenRaw(t, c.to.ns, "ip4:icmp")
		before := l.packets("invalid")
		c.from.unreachable(t, c.to.v4)
		eventually(t, "the packet of "+c.from.name+" is counted as invalid", func() bool { return l.packets("invalid") > before })
		tap.SetReadDeadline(time.Now().Add(no))
		if n, from, err := tap.ReadFrom(make([]byte, 256)); err == nil {
			t.Errorf("%s heard %d bytes of ICMP from %s", c.to.name, n, from)
		}
	}
	if l.packets("inbound") != 0 {
		t.Error("a packet that conntrack cannot place was answered")
	}
}

// unreachable sends an ICMP error about a connection that nobody has, which
// conntrack calls invalid.
func (m *machine) unreachable(t *testing.T, to netip.Addr) {
	t.Helper()
	inner := append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0}, append(to.AsSlice(), m.v4.AsSlice()...)...)
	inner = append(inner, 0x30, 0x39, 0x30, 0x39, 0, 8, 0, 0)
	body := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, inner...)
	binary.BigEndian.PutUint16(body[2:], checksum(body))
	err := m.ns.Do(func() error {
		conn, err := net.Dial("ip4:icmp", to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNSHostReachesGuestsFromAnyOfItsAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"iso0", "isolated", []string{"iso"}})
	for _, c := range []struct{ from, to string }{
		{"203.0.113.1", "iso"}, {"2001:db8:1::1", "iso"}, {"10.0.1.1", "iso"}, {"fd00:1::1", "iso"},
		{"203.0.113.1", "nat"}, {"2001:db8:1::1", "nat"}, {"10.0.2.1", "nat"}, {"fd00:2::1", "nat"},
	} {
		from, to := netip.MustParseAddr(c.from), l.machines[c.to].v4
		if from.Is6() {
			to = l.machines[c.to].v6
		}
		conn, err := l.host.dial("tcp", from, to, yes)
		if err != nil {
			t.Errorf("the host's %s to %s: %v", from, c.to, err)
			continue
		}
		exchange(t, conn)
		conn.Close()
	}
}

func listenRaw(t *testing.T, ns *netns.NS, protocol string) net.PacketConn {
	t.Helper()
	var conn net.PacketConn
	err := ns.Do(func() (err error) { conn, err = net.ListenPacket(protocol, "0.0.0.0"); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
