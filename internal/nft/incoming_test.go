package nft

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

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
	m.frames(t, frame)
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
