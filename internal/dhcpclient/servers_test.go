package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/dhcp4"
	"kvmnet/internal/lease"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// patience is for machines that do many things at once.
const patience = 30 * time.Second

// lan is a machine with a bridge and a server's address on it, and a router whose
// uplink is plugged in.
type lan struct {
	machine, router *testhost.Host
	want            plan.Acquire
	dir             string
	changed         atomic.Int64
	*Clients
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	l := &lan{machine: nstest.Host(t, "machine"), router: nstest.Host(t, "r1"), dir: t.TempDir()}
	must(t, l.machine.Bridge("br0"))
	must(t, l.machine.AddAddress("br0", netip.MustParsePrefix("10.9.0.1/24")))
	l.want = plan.Acquire{NS: "r1", Link: "eth0", MAC: spec.GenerateMAC("r1"), Router: "r1", Uplink: "eth0"}
	l.begin(t)
	t.Cleanup(func() { l.Clients.Close() })
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// begin is the start of a daemon.
func (l *lan) begin(t *testing.T) {
	t.Helper()
	c, err := New(Options{Dir: l.dir, Namespace: func(name string) (*netns.NS, bool) { return l.router.NS(), name == "r1" },
		Changed: func() { l.changed.Add(1) }})
	must(t, err)
	l.Clients = c
}

// set is a pass of the loop.
func (l *lan) set() { l.Set([]plan.Acquire{l.want}) }

// plug plugs the uplink in.
func (l *lan) plug(t *testing.T) {
	t.Helper()
	nstest.Join(t, l.router, l.machine, "br0")
}

// got waits for what the uplink gets.
func (l *lan) got(t *testing.T) (a plan.Acquired) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		var ok bool
		if a, ok = l.Acquired()[l.want.Key()]; !ok {
			return fmt.Errorf("nothing acquired: %v", l.Problems())
		}
		return nil
	})
	return a
}

// messages captures what the uplink sends to servers.
func (l *lan) messages(t *testing.T) *testhost.Capture {
	t.Helper()
	c, err := l.machine.Capture(t.Context(), "br0", func(p testhost.Packet) bool { return p.Proto == testhost.UDP && p.DstPort == serverPort })
	must(t, err)
	return c
}

// sent waits for a message of a kind.
func sent(t *testing.T, c *testhost.Capture, kind dhcpv4.MessageType, match func(testhost.Packet, *dhcpv4.DHCPv4) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.Wait(ctx, func(p testhost.Packet) bool {
		m, err := dhcpv4.FromBytes(p.Payload)
		return err == nil && m.MessageType() == kind && match(p, m)
	})
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
}

// dnsmasq serves the LAN, with timers as short as it can.
func (l *lan) dnsmasq(t *testing.T, options ...string) {
	t.Helper()
	peers.Dnsmasq(t, l.machine, peers.DnsmasqConfig{Device: "br0", From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 120, Domain: "lan.internal",
		Options: append(options, "--dhcp-option-force=option:T1,2", "--dhcp-option-force=option:T2,4")})
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestAgainstDnsmasq(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.dnsmasq(t)
	l.plug(t)
	seen := l.messages(t)
	l.set()
	a := l.got(t)
	if a.Address.Bits() != 24 || a.Gateway != addr("10.9.0.1") || !slices.Equal(a.DNS, []netip.Addr{addr("10.9.0.1")}) {
		t.Errorf("acquired %+v", a)
	}
	must(t, l.router.AddAddress("eth0", a.Address)) // as a pass does it
	first := l.Leases()[l.want.Key()].Ends
	sent(t, seen, dhcpv4.MessageTypeRequest, func(p testhost.Packet, m *dhcpv4.DHCPv4) bool {
		return p.Src == a.Address.Addr() && p.Dst == addr("10.9.0.1") && m.ClientIPAddr.Equal(a.Address.Addr().AsSlice())
	})
	nstest.Eventually(t, patience, func() error {
		if !l.Leases()[l.want.Key()].Ends.After(first) {
			return errors.New("the lease is not renewed")
		}
		return nil
	})

	l.Clients.Close()
	l.begin(t)
	if now := l.Acquired()[l.want.Key()].Address; now != a.Address {
		t.Errorf("a new daemon has %s at first, want %s", now, a.Address)
	}
	before := l.Leases()[l.want.Key()].Ends
	seen.Forget()
	l.set()
	sent(t, seen, dhcpv4.MessageTypeRequest, func(p testhost.Packet, m *dhcpv4.DHCPv4) bool {
		return p.Src.IsUnspecified() && m.RequestedIPAddress().Equal(a.Address.Addr().AsSlice()) && m.ServerIdentifier() == nil
	})
	nstest.Eventually(t, patience, func() error {
		if !l.Leases()[l.want.Key()].Ends.After(before) {
			return errors.New("the lease from before is not confirmed")
		}
		return nil
	})
	l.Farewell(nil)
	sent(t, seen, dhcpv4.MessageTypeRelease, func(p testhost.Packet, m *dhcpv4.DHCPv4) bool { return p.Dst == addr("10.9.0.1") })
	if n := l.changed.Load(); n != 2 {
		t.Errorf("changed %d times, want 2: it came and it went", n)
	}
}

// Somebody has written the address down that the server gives.
func TestAnAddressInUseIsDeclinedAndAnotherOneTaken(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.dnsmasq(t, "--dhcp-host="+l.want.MAC.String()+",10.9.0.77")
	squatter := nstest.Host(t, "squatter")
	nstest.Join(t, squatter, l.machine, "br0", netip.MustParsePrefix("10.9.0.77/24"))
	l.plug(t)
	seen := l.messages(t)
	l.set()
	sent(t, seen, dhcpv4.MessageTypeDecline, func(_ testhost.Packet, m *dhcpv4.DHCPv4) bool {
		return m.RequestedIPAddress().String() == "10.9.0.77"
	})
	nstest.Eventually(t, patience, func() error { // it is told after it is declined
		if p := l.Problems()[l.want.Key()]; !strings.Contains(p, "in use by "+spec.GenerateMAC("squatter").String()) {
			return fmt.Errorf("problem %q", p)
		}
		return nil
	})
	if a := l.got(t); a.Address.Addr() == addr("10.9.0.77") {
		t.Errorf("acquired %s", a.Address)
	}
}

func TestAnUplinkThatComesLate(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.dnsmasq(t)
	l.set()
	l.plug(t)
	nstest.Eventually(t, patience, func() error { // the kernel tells of the link, and there is a pass
		if l.set(); len(l.Acquired()) == 0 {
			return errors.New("nothing acquired")
		}
		return nil
	})
	a := l.got(t)
	must(t, l.router.Unplug("eth0"))
	l.set()
	l.plug(t)
	before := l.Leases()[l.want.Key()].Ends
	nstest.Eventually(t, patience, func() error {
		if l.set(); !l.Leases()[l.want.Key()].Ends.After(before) {
			return fmt.Errorf("the lease is not confirmed on the new link: %v", l.Problems())
		}
		return nil
	})
	if now := l.got(t); now.Address != a.Address {
		t.Errorf("acquired %s, had %s", now.Address, a.Address)
	}
}

// ours serves the LAN as a network of ours.
type ours struct{ *dhcp4.Server }

func (o ours) DHCP6(socket.Packet)   {}
func (o ours) Solicit(socket.Packet) {}
func (o ours) DHCP4(p socket.Packet) { o.Handle(p) }

// link is what a server sends by. It is opened when the server is there.
type link struct{ *socket.Link }

func (l *lan) ours(t *testing.T, options ...plan.Option) *lease.Table {
	t.Helper()
	book, err := lease.Open(t.TempDir(), lease.Options{})
	must(t, err)
	way := &link{}
	s := dhcp4.New(dhcp4.Options{Table: book.Table("lan"), Link: way})
	way.Link, err = socket.OpenLink(l.machine.NS(), "br0", ours{s})
	must(t, err)
	t.Cleanup(func() {
		must(t, way.Close())
		s.Close()
		must(t, book.Close())
	})
	s.Set(&plan.DHCP{Scopes: []plan.Scope{{Prefix: netip.MustParsePrefix("10.9.0.0/24"), Server: addr("10.9.0.1"), Lease: 3600,
		Ranges: []plan.Range{{From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 3600}}, Options: options}}})
	return book.Table("lan")
}

func TestAgainstOurOwnServer(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	table := l.ours(t,
		plan.Option{Code: 3, Data: "\x0a\x09\x00\x02"}, plan.Option{Code: 6, Data: "\x0a\x09\x00\x03\x0a\x09\x00\x04"},
		plan.Option{Code: 15, Data: "lan.internal"}, plan.Option{Code: 26, Data: "\x05\x78"},
		plan.Option{Code: 121, Data: "\x00\x0a\x09\x00\x05" + "\x10\xac\x10\x0a\x09\x00\x06" + "\x18\x0a\x08\x07\x00\x00\x00\x00"})
	l.plug(t)
	l.set()
	a := l.got(t)
	want := plan.Acquired{Address: a.Address, Gateway: addr("10.9.0.5"), DNS: []netip.Addr{addr("10.9.0.3"), addr("10.9.0.4")}, Routes: []plan.AcquiredRoute{
		{To: netip.MustParsePrefix("172.16.0.0/16"), Via: addr("10.9.0.6")}, {To: netip.MustParsePrefix("10.8.7.0/24")}}}
	if fmt.Sprint(a) != fmt.Sprint(want) {
		t.Errorf("acquired %v, want %v", a, want)
	}
	if m := l.Leases()[l.want.Key()]; m.MTU != 1400 || m.Domain != "lan.internal" || m.Server != addr("10.9.0.1") || m.ServerMAC.IsZero() {
		t.Errorf("lease %+v", m)
	}
	given, ok := table.At(a.Address.Addr())
	if !ok || given.State != lease.Bound || given.Hostname != "r1" || given.ClientID != "\x01"+string(l.want.MAC[:]) {
		t.Errorf("the server has %+v", given)
	}
	l.Set(nil)
	nstest.Eventually(t, patience, func() error {
		if given, _ := table.At(a.Address.Addr()); given.State != lease.Released {
			return fmt.Errorf("the server has %+v", given)
		}
		return nil
	})
}

// A second client on the link is another program's: it is told who.
func TestAPortThatIsTakenIsNamed(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	l.plug(t)
	hold, err := socket.HoldPort(l.router.NS(), "eth0", "udp4", clientPort)
	must(t, err)
	l.set()
	nstest.Eventually(t, patience, func() error {
		if p := l.Problems()[l.want.Key()]; !strings.Contains(p, "port 68 on eth0 is taken by") {
			return fmt.Errorf("problem %q", p)
		}
		return nil
	})
	must(t, hold.Close())
	l.ours(t)
	l.set()
	l.got(t)
}
