package hostlink_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// withGuest is a machine with default routes by eth0, and a bridge of its own with a
// guest, who has an echo as the one behind the gateway and the machine itself.
func withGuest(t testing.TB) (m, outside, guest *testhost.Host, port uint16) {
	t.Helper()
	m, outside, port = uplinked(t)
	configure(t, m.NS(), "ip link add br0 address "+bridgeMAC+" type bridge forward_delay 1500", "ip link set br0 up")
	guest = nstest.Host(t, "guest")
	nstest.Join(t, guest, m, "br0", netip.MustParsePrefix("10.55.0.50/24"), netip.MustParsePrefix("2001:db8:55::50/64"))
	configure(t, m.NS(), "ip addr add 10.55.0.1/24 dev br0", "ip -6 addr add 2001:db8:55::1/64 dev br0 nodad")
	settled(t, m.NS())
	settled(t, guest.NS())
	nstest.Serve(t, m, port)
	return m, outside, guest, port
}

// there is a way into the bridge, with a guest on it, and out of it in both ways.
func throughTheBridge(t testing.TB, ns *netns.NS) {
	t.Helper()
	before, ops := toJoin(t, ns)
	apply(t, ns, ops)
	within := look(t, ns, "eth0")
	out, _, err := hostlink.Unconvert(within, before.Bridge)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, ns, out)
	rejoin(t, ns, within)
	rejoin(t, ns, before)
}

// TestConnectionsOfGuestsDoNotNoticeAJoin: connections of the machine over its NIC, and
// those of a guest to the bridge's own addresses, go on through all moves.
func TestConnectionsOfGuestsDoNotNoticeAJoin(t *testing.T) {
	m, _, guest, port := withGuest(t)
	for name, c := range map[string]struct {
		from *testhost.Host
		to   netip.Addr
	}{
		"IPv4 by the NIC": {m, internet4}, "IPv6 by the NIC": {m, internet6},
		"IPv4 of the guest": {guest, netip.MustParseAddr("10.55.0.1")}, "IPv6 of the guest": {guest, netip.MustParseAddr("2001:db8:55::1")},
	} {
		t.Run(name, func(t *testing.T) {
			goesOn(t, c.from, netip.AddrPortFrom(c.to, port), func() { throughTheBridge(t, m.NS()) })
		})
	}
}

// TestABridgeTellsItsGuestsOfItsNewMAC by packets that they take at once (RFC 5227,
// section 3; RFC 4861, section 7.2.6): they have the new MAC, and after a revert the
// old one, without asking.
func TestABridgeTellsItsGuestsOfItsNewMAC(t *testing.T) {
	t.Parallel()
	m, _, guest, port := withGuest(t)
	own := []netip.Addr{netip.MustParseAddr("10.55.0.1"), netip.MustParseAddr("2001:db8:55::1")}
	for _, to := range own {
		if r := guest.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: to, Port: port}); !r.OK {
			t.Fatalf("before: %s", r)
		}
	}
	knows := func(when, mac string) {
		t.Helper()
		for _, to := range own {
			nstest.Eventually(t, 2*time.Second, func() error {
				if out := nstest.Run(t, guest.NS(), "ip", "neigh", "show", to.String()); !strings.Contains(out, mac) {
					return fmt.Errorf("%s: %s of the guest is %q, not %s", when, to, out, mac)
				}
				return nil
			})
		}
	}
	knows("before", bridgeMAC)
	heard, err := guest.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return !p.Outgoing })
	if err != nil {
		t.Fatal(err)
	}
	before, ops := toJoin(t, m.NS())
	apply(t, m.NS(), ops)
	knows("in the bridge", mac(1).String())
	said := map[netip.Addr]spec.MAC{}
	for _, p := range heard.Packets() {
		if p.EtherType == testhost.EtherARP && p.Src == p.Dst || p.Proto == testhost.ICMP && p.Type == neighbourAdvertisement {
			said[p.Src] = p.SrcMAC
		}
	}
	for _, to := range own {
		if said[to] != mac(1) {
			t.Errorf("of %s the guest heard %s in %v", to, said[to], said)
		}
	}
	rejoin(t, m.NS(), before)
	knows("as before", bridgeMAC)
}

const neighbourAdvertisement = 136 // RFC 4861, section 4.4

// TestGuestsReachTheOutsideByTheirOldBridge, and what is on the bridge stays reachable.
func TestGuestsReachTheOutsideByTheirOldBridge(t *testing.T) {
	t.Parallel()
	m, outside, guest, port := withGuest(t)
	configure(t, guest.NS(), "ip addr add 192.0.2.50/24 dev eth0")
	before, ops := toJoin(t, m.NS())
	reaches := func(when string, from *testhost.Host, to string, wanted bool) {
		t.Helper()
		patience := testhost.DefaultTimeout
		if !wanted {
			patience = 200 * time.Millisecond
		}
		r := from.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: netip.MustParseAddr(to), Port: port, Timeout: patience})
		if r.OK != wanted {
			t.Errorf("%s %s to %s: %s", when, from.Name(), to, r)
		}
	}
	reaches("before", guest, "192.0.2.1", false)
	apply(t, m.NS(), ops)
	for _, to := range []string{"192.0.2.1", "10.55.0.1", "192.0.2.2", "2001:db8:55::1"} {
		reaches("in the bridge", guest, to, true)
	}
	for _, to := range []string{"192.0.2.2", "2001:db8::2"} {
		reaches("in the bridge", outside, to, true)
	}
	rejoin(t, m.NS(), before)
	reaches("as before", guest, "192.0.2.1", false)
	reaches("as before", guest, "10.55.0.1", true)
	reaches("as before", m, "203.0.113.9", true)
}
