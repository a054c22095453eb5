package nft

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
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
