package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// send throws one datagram at port 7 of an address, from a source address the
// machine takes for its own.
func (m *machine) send(payload string, from, to netip.Addr) error {
	conn, err := m.dial("udp", from, to, no)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(payload))
	return err
}

// assume gives a machine foreign addresses, as a guest does that lies about its
// own.
func (m *machine) assume(addrs ...netip.Addr) {
	m.t.Helper()
	for _, a := range addrs {
		m.ip(fmt.Sprintf("addr add %s/%d dev lo%s", a, a.BitLen(), map[bool]string{true: " nodad"}[a.Is6()]))
	}
}

// settle returns when everything sent before to the machines has had its chance:
// a packet that may arrive has gone the same way after it.
func settle(t *testing.T, from *machine, to netip.Addr) {
	t.Helper()
	if _, err := from.reach("udp", to, yes); err != nil {
		t.Fatalf("%s to %s: %v", from.name, to, err)
	}
}

func TestNSForgedSourcesReachNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t,
		network{"nat0", "nat", []string{"nat-a"}},
		network{"open0", "open", []string{"open"}},
		network{"route0", "route", []string{"route"}},
		network{"route1", "route", []string{"route2"}},
		network{"iso0", "isolated", []string{"iso-a"}},
		network{"sil0", "silent", []string{"silent-a"}},
	)
	outside, route := l.machines["outside"], l.machines["route"]
	// Sources: nobody's, another guest's, the outside neighbour's, the host's own.
	forged := []string{"198.18.0.9", route.v4.String(), "203.0.113.2", "203.0.113.1", "10.0.3.1",
		"2001:db8:99::9", route.v6.String(), "2001:db8:1::2", "2001:db8:1::1", "fd00:3::1"}
	for _, name := range []string{"nat-a", "route2", "iso-a", "silent-a"} {
		t.Run(name, func(t *testing.T) {
			guest := l.machines[name]
			var sent []string
			for _, s := range forged {
				source := netip.MustParseAddr(s)
				guest.assume(source)
				for _, m := range []*machine{outside, route, l.machines["route2"], l.machines["open"], l.host} {
					for _, to := range targets(l, name, m) {
						if to.Is4() != source.Is4() || m == guest || to == source {
							continue
						}
						payload := fmt.Sprintf("%s as %s to %s", name, source, to)
						sent = append(sent, payload)
						if err := guest.send(payload, source, to); err != nil {
							t.Errorf("%s: %v", payload, err)
						}
					}
				}
				guest.ip(fmt.Sprintf("addr del %s/%d dev lo", source, source.BitLen()))
			}
			if len(sent) < 20 {
				t.Fatalf("only %d datagrams sent", len(sent))
			}
			// The honest ones that follow on the same way arrive.
			if name == "nat-a" || name == "route2" {
				settle(t, guest, outside.v4)
				settle(t, guest, outside.v6)
			}
			for _, payload := range sent {
				for _, m := range []*machine{outside, route, l.machines["route2"], l.machines["open"], l.host} {
					if m.heard(payload) {
						t.Errorf("%s arrived at %s", payload, m.name)
					}
				}
			}
		})
	}
	if l.packets("spoofed") == 0 {
		t.Error("no packet counted as spoofed")
	}
}

// targets are a machine's addresses; of the host, the gateway of the sender's own
// network and its address on the uplink.
func targets(l *lab, sender string, m *machine) []netip.Addr {
	if m != l.host {
		return []netip.Addr{m.v4, m.v6}
	}
	bridge := map[string]string{"nat-a": "nat0", "route2": "route1", "iso-a": "iso0"}[sender]
	addrs := []netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:1::1")}
	for _, g := range l.gateways[bridge] {
		if g.IsValid() {
			addrs = append(addrs, g)
		}
	}
	return addrs
}

func TestNSForgedSourceCannotRideOnAnEstablishedConnection(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"route0", "route", []string{"route"}}, network{"nat0", "nat", []string{"nat-a"}})
	outside, route, nat := l.machines["outside"], l.machines["route"], l.machines["nat-a"]
	conn, err := route.dial("udp", netip.Addr{}, outside.v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)
	victim := conn.LocalAddr().(*net.UDPAddr)

	// The nat guest answers in the outside's name, addressed to the very socket.
	nat.stop()
	nat.assume(outside.v4)
	err = nat.ns.Do(func() error {
		liar, err := net.DialUDP("udp", &net.UDPAddr{IP: outside.v4.AsSlice(), Port: 7}, victim)
		if err != nil {
			return err
		}
		defer liar.Close()
		_, err = liar.Write([]byte("forged"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(no))
	buf := make([]byte, 64)
	if n, err := conn.Read(buf); err == nil {
		t.Errorf("the victim read %q", buf[:n])
	}
	exchange(t, conn)
}

// exchange sends a byte over a connection and waits for the answer.
func exchange(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(yes))
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 128)); err != nil {
		t.Fatal(err)
	}
}

func TestNSSourcesBehindAGuestPassByStaticRoute(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"route0", "route", []string{"route"}})
	guest, outside := l.machines["route"], l.machines["outside"]
	for _, a := range []struct{ inner, via, to string }{
		{"10.99.0.1", guest.v4.String(), outside.v4.String()},
		{"fd99::1", guest.v6.String(), outside.v6.String()},
	} {
		inner, to := netip.MustParseAddr(a.inner), netip.MustParseAddr(a.to)
		guest.assume(inner)
		if err := guest.send("before "+a.inner, inner, to); err != nil {
			t.Fatal(err)
		}
		settle(t, guest, to)
		if outside.heard("before " + a.inner) {
			t.Errorf("%s passed without a route", inner)
		}
		l.host.ip(fmt.Sprintf("route add %s/%d via %s", inner, inner.BitLen(), a.via))
		if err := guest.send("after "+a.inner, inner, to); err != nil {
			t.Fatal(err)
		}
		eventually(t, a.inner+" arrives once the host routes to it", func() bool { return outside.heard("after " + a.inner) })
	}
}

func TestNSGatewayHearsItsGuestsMulticastAndBroadcast(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"guest"}})
	guest := l.machines["guest"]
	// mDNS, MLD and DHCPv6 depend on it.
	for i, group := range []string{"224.0.0.1", "10.0.1.255", "255.255.255.255", "ff02::1"} {
		port := 4011 + i
		server := listen(t, l.host.ns, "nat0", port, map[bool]string{true: "udp6", false: "udp4"}[strings.Contains(group, ":")])
		err := guest.ns.Do(func() error {
			dev, err := net.InterfaceByName("eth0")
			if err != nil {
				return err
			}
			addr := netip.MustParseAddr(group)
			if addr.Is6() {
				// By number: package net remembers zone names across namespaces.
				addr = addr.WithZone(fmt.Sprint(dev.Index))
			}
			conn, err := net.Dial("udp", netip.AddrPortFrom(addr, uint16(port)).String())
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write([]byte(group))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 64)
		server.SetReadDeadline(time.Now().Add(yes))
		if n, _, err := server.ReadFrom(buf); err != nil || string(buf[:n]) != group {
			t.Errorf("heard %q, %v; want %q", buf[:n], err, group)
		}
	}
}

// listen opens a UDP socket bound to a device, as a DHCP server does. A socket for
// both families would not hear IPv4 multicast.
func listen(t *testing.T, ns *netns.NS, dev string, port int, network string) net.PacketConn {
	t.Helper()
	var conn net.PacketConn
	err := ns.Do(func() (err error) {
		conn, err = bound(dev).ListenPacket(t.Context(), network, fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestNSBroadcastFromNobodyReachesTheHostUnlessSilent(t *testing.T) {
	t.Parallel()
	l := newLab(t,
		network{"nat0", "nat", []string{"nat"}},
		network{"iso0", "isolated", []string{"iso"}},
		network{"sil0", "silent", []string{"silent"}},
	)
	for _, c := range []struct {
		guest, bridge string
		want          bool
	}{{"nat", "nat0", true}, {"iso", "iso0", true}, {"silent", "sil0", false}} {
		t.Run(c.guest, func(t *testing.T) {
			guest := l.machines[c.guest]
			guest.ip("addr flush dev eth0")
			server := listen(t, l.host.ns, c.bridge, 67, "udp4")
			guest.broadcast(t, "discover")
			buf := make([]byte, 64)
			if !c.want {
				eventually(t, "the broadcast is counted", func() bool { return l.packets("isolated") > 0 })
				server.SetReadDeadline(time.Now().Add(no))
				if n, from, err := server.ReadFrom(buf); err == nil {
					t.Errorf("the host heard %q from %s", buf[:n], from)
				}
				return
			}
			server.SetReadDeadline(time.Now().Add(yes))
			n, from, err := server.ReadFrom(buf)
			if err != nil || string(buf[:n]) != "discover" {
				t.Fatalf("heard %q, %v", buf[:n], err)
			}
			if got := from.(*net.UDPAddr).AddrPort().Addr().Unmap(); !got.IsUnspecified() {
				t.Errorf("came from %s, want 0.0.0.0", got)
			}
		})
	}
}

// broadcast sends from 0.0.0.0:68 to 255.255.255.255:67, as a guest does that has
// no address yet.
func (m *machine) broadcast(t *testing.T, payload string) {
	t.Helper()
	err := m.ns.Do(func() error {
		conn, err := bound("eth0").ListenPacket(t.Context(), "udp4", "0.0.0.0:68")
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.WriteTo([]byte(payload), &net.UDPAddr{IP: net.IPv4bcast, Port: 67})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNSDuplicateAddressDetectionFindsTheGateway(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"iso0", "isolated", []string{"iso"}})
	for guest, bridge := range map[string]string{"nat": "nat0", "iso": "iso0"} {
		m := l.machines[guest]
		m.sysctl("net/ipv6/conf/eth0/accept_dad", "1")
		// The solicitation comes from ::, and only the host's answer can make it fail.
		m.ip("addr add " + l.gateways[bridge][1].String() + "/64 dev eth0")
		eventually(t, guest+" finds that the gateway's address is taken", func() bool {
			out, _ := m.run("", "ip", "-6", "addr", "show", "dev", "eth0")
			return strings.Contains(out, "dadfailed")
		})
	}
}

func TestNSRouterSolicitationsReachTheHostUnlessSilent(t *testing.T) {
	t.Parallel()
	l := newLab(t,
		network{"nat0", "nat", []string{"nat"}},
		network{"iso0", "isolated", []string{"iso"}},
		network{"sil0", "silent", []string{"silent"}},
	)
	for _, c := range []struct {
		guest, bridge, source string
		want                  bool
	}{
		{"nat", "nat0", "::", true}, {"nat", "nat0", "fe80::99", true},
		{"iso", "iso0", "::", true}, {"iso", "iso0", "fe80::99", true},
		{"nat", "nat0", "2001:db8:99::9", false}, {"iso", "iso0", "2001:db8:99::9", false},
		{"silent", "sil0", "::", false}, {"silent", "sil0", "fe80::99", false},
	} {
		t.Run(c.guest+" from "+c.source, func(t *testing.T) {
			var router net.PacketConn
			err := l.host.ns.Do(func() (err error) {
				router, err = bound(c.bridge).ListenPacket(t.Context(), "ip6:ipv6-icmp", "::")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer router.Close()
			l.machines[c.guest].solicit(t, netip.MustParseAddr(c.source))
			wait := no
			if c.want {
				wait = yes
			}
			if got := solicited(router, c.source, wait); got != c.want {
				t.Errorf("the host heard the solicitation: %v, want %v", got, c.want)
			}
		})
	}
}

// solicited waits for a router solicitation (type 133) of a source.
func solicited(router net.PacketConn, source string, wait time.Duration) bool {
	router.SetReadDeadline(time.Now().Add(wait))
	buf := make([]byte, 2048)
	for {
		n, from, err := router.ReadFrom(buf)
		if err != nil {
			return false
		}
		if n > 0 && buf[0] == 133 && from.(*net.IPAddr).IP.String() == source {
			return true
		}
	}
}

// solicit puts a router solicitation on the wire (RFC 4861 4.1), the only way to
// send one from ::.
func (m *machine) solicit(t *testing.T, source netip.Addr) {
	t.Helper()
	group := netip.MustParseAddr("ff02::2")
	body := []byte{133, 0, 0, 0, 0, 0, 0, 0}
	pseudo := append(append(source.AsSlice(), group.AsSlice()...), 0, 0, 0, byte(len(body)), 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(body[2:], checksum(append(pseudo, body...)))
	packet := append([]byte{0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255}, append(append(source.AsSlice(), group.AsSlice()...), body...)...)
	frame := append([]byte{0x33, 0x33, 0, 0, 0, 2, 0x52, 0x54, 0, 1, 2, 3, 0x86, 0xdd}, packet...)
	err := m.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		dev, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		return unix.Sendto(fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: dev.Index, Halen: 6})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func TestNSPinnedNetworksLeaveByTheirUplinkOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"route0", "route", []string{"route"}})
	outside, other := l.machines["outside"], l.machines["other"]
	var pins []plan.Object
	for _, bridge := range []string{"nat0", "route0"} {
		pins = append(pins, plan.Element{Map: "pinned", ID: bridge}, plan.Element{Map: "egress", ID: bridge + " . eth0"})
	}
	check := func(pinned bool) {
		t.Helper()
		for _, name := range []string{"nat", "route"} {
			guest := l.machines[name]
			for _, to := range []netip.Addr{outside.v4, outside.v6, other.v4, other.v6} {
				want := !pinned || to == outside.v4 || to == outside.v6
				wait := no
				if want {
					wait = yes
				}
				if _, err := guest.reach("tcp", to, wait); (err == nil) != want {
					t.Errorf("pinned %v: %s to %s: error %v, want reached %v", pinned, name, to, err, want)
				}
			}
		}
	}
	check(false)
	l.apply(plan.Add, pins...)
	check(true)
	if l.packets("pinned") == 0 {
		t.Error("no packet counted as pinned")
	}
	l.apply(plan.Del, pins...)
	check(false)
}

func TestNSPinnedNetworkGoesSilentWhenTheRouteMoves(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"guest"}})
	l.apply(plan.Add, plan.Element{Map: "pinned", ID: "nat0"}, plan.Element{Map: "egress", ID: "nat0 . eth0"})
	guest, other := l.machines["guest"], l.machines["other"]
	far := netip.MustParseAddr("192.0.2.7")
	for _, name := range []string{"outside", "other"} {
		l.machines[name].assume(far)
	}
	l.host.ip("route add 192.0.2.7 via 203.0.113.2")
	conn, err := guest.dial("tcp", netip.Addr{}, far, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)
	tap := listenRaw(t, other.ns, "ip4:tcp")
	l.host.ip("route replace 192.0.2.7 via 198.51.100.2")
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the packet is refused", func() bool { return l.packets("pinned") > 0 })
	tap.SetReadDeadline(time.Now().Add(no))
	if n, from, err := tap.ReadFrom(make([]byte, 256)); err == nil {
		t.Errorf("an established connection of %s left by the other uplink, %d bytes", from, n)
	}
}

func TestNSHeldUplinksForwardForOurNetworksOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"route0", "route", []string{"route"}},
		network{"open0", "open", []string{"open"}})
	outside, other := l.machines["outside"], l.machines["other"]
	held := []plan.Object{plan.Element{Map: "held4", ID: "eth0"}, plan.Element{Map: "held6", ID: "eth0"}}
	for _, to := range []netip.Addr{other.v4, other.v6} {
		if _, err := outside.reach("tcp", to, yes); err != nil {
			t.Fatalf("before: outside to other: %v", err)
		}
	}
	l.apply(plan.Add, held...)
	for _, protocol := range []string{"tcp", "udp", "icmp"} {
		for _, to := range []netip.Addr{other.v4, other.v6} {
			if _, err := outside.reach(protocol, to, no); err == nil {
				t.Errorf("outside reached other by %s to %s over a held uplink", protocol, to)
			}
			if other.heard("outside to " + to.String()) {
				t.Errorf("a datagram from outside reached %s", to)
			}
		}
	}
	for _, want := range []struct {
		from *machine
		to   [2]netip.Addr
	}{
		{l.machines["nat"], [2]netip.Addr{outside.v4, outside.v6}},
		{l.machines["route"], [2]netip.Addr{outside.v4, outside.v6}},
		{outside, [2]netip.Addr{l.machines["route"].v4, l.machines["route"].v6}},
		{outside, [2]netip.Addr{l.machines["open"].v4, l.machines["open"].v6}},
		{outside, [2]netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:1::1")}},
	} {
		for _, to := range want.to {
			if _, err := want.from.reach("tcp", to, yes); err != nil {
				t.Errorf("%s to %s: %v", want.from.name, to, err)
			}
		}
	}
	if l.packets("held") == 0 {
		t.Error("no packet counted as held")
	}
}

func TestNSHeldHostBridgeStillBridges(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.host.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
	var lan []*machine
	for i, name := range []string{"lan-a", "lan-b"} {
		m := newMachine(t, name)
		m.v4 = netip.AddrFrom4([4]byte{192, 168, 7, byte(i + 1)})
		port := fmt.Sprintf("lan%d", i)
		l.host.ip("link add "+port+" type veth peer name eth0 netns "+m.path(), "link set "+port+" master br0", "link set "+port+" up")
		m.ip("link set eth0 up", "addr add "+m.v4.String()+"/24 dev eth0")
		m.serve()
		lan = append(lan, m)
	}
	held, segment := el("held4", "br0", ""), el("segments", "br0 . br0", "")
	for _, c := range []struct {
		rows []plan.Object
		want bool
	}{{nil, true}, {[]plan.Object{held}, false}, {[]plan.Object{held, segment, l.router("br0")}, true}} {
		if len(c.rows) > 0 {
			l.apply(plan.Add, c.rows...)
		}
		wait := no
		if c.want {
			wait = yes
		}
		// Without its segment row a held bridge would judge the frames of its LAN:
		// the row is needed.
		if _, err := lan[0].reach("tcp", lan[1].v4, wait); (err == nil) != c.want {
			t.Errorf("with %v: error %v, want reached %v", c.rows, err, c.want)
		}
	}
	// But the host is no router for that LAN: what is sent to its own address to be
	// turned around is dropped.
	l.host.ip("addr add 192.168.7.254/24 dev br0")
	l.host.sysctl("net/ipv4/conf/br0/forwarding", "1")
	l.host.sysctl("net/ipv4/conf/br0/send_redirects", "0")
	l.host.sysctl("net/ipv4/conf/all/send_redirects", "0")
	lan[1].ip("addr add 198.51.100.9/32 dev lo")
	l.host.ip("route add 198.51.100.9 via " + lan[1].v4.String())
	lan[0].ip("route add 198.51.100.9 via 192.168.7.254")
	before := l.packets("held")
	if _, err := lan[0].reach("icmp", netip.MustParseAddr("198.51.100.9"), no); err == nil || l.packets("held") == before {
		t.Errorf("a held bridge routes for its LAN: %v, %d packets held", err, l.packets("held")-before)
	}
	l.apply(plan.Del, held)
	if _, err := lan[0].reach("icmp", netip.MustParseAddr("198.51.100.9"), yes); err != nil {
		t.Errorf("the route does not work without the hold either: %v", err)
	}
}

// router is the row for a held bridge: its own address.
func (l *lab) router(bridge string) plan.Object {
	out, err := l.host.run("", "ip", "-br", "link", "show", bridge)
	fields := strings.Fields(out)
	if err != nil || len(fields) < 3 {
		l.t.Fatal(out, err)
	}
	return el("routers", bridge+" . "+fields[2], "")
}

// A stranger forges a packet from a NAT guest to his friend, which the host
// forwards: conntrack expects the answer. What the friend sends is none.
func TestNSForgedRequestOpensNoWayIn(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}})
	guest, stranger, friend := l.machines["nat"], l.machines["outside"], l.machines["other"]
	const service, expected = 5353, 7001
	heard := guest.listen(t, service)
	for _, a := range []struct{ guest, friend netip.Addr }{{guest.v4, friend.v4}, {guest.v6, friend.v6}} {
		stranger.assume(a.guest)
		forged, trespass := "forged for "+a.guest.String(), "trespass to "+a.guest.String()
		stranger.datagram(t, forged, netip.AddrPortFrom(a.guest, service), netip.AddrPortFrom(a.friend, expected))
		for range 3 {
			friend.datagram(t, trespass, netip.AddrPortFrom(a.friend, expected), netip.AddrPortFrom(a.guest, service))
		}
		settle(t, guest, a.friend) // what was on its way has arrived
		heard.SetReadDeadline(time.Now().Add(no))
		if n, from, err := heard.ReadFrom(make([]byte, 128)); err == nil {
			t.Errorf("a forged request let the friend in to %s: %d bytes from %s", a.guest, n, from)
		}
	}
	if l.packets("inbound") == 0 {
		t.Error("nothing was refused: the packets did not come this way")
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
