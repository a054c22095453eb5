package socket

import (
	"errors"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// openClient opens a client, closed at the end of the test.
func openClient(t testing.TB, h *record) (machine, client *Client) {
	t.Helper()
	m, guest := newWorld(t)
	machine, err := OpenClient(m.NS(), "lab0", &record{})
	must(t, err)
	client, err = OpenClient(guest.NS(), "eth0", h)
	must(t, err)
	t.Cleanup(func() { machine.Close(); client.Close() })
	return machine, client
}

// A server's answer to a client without an address, whatever that will be.
func TestClientHearsServersBeforeItHasAnAddress(t *testing.T) {
	t.Parallel()
	heard := &record{}
	server, client := openClient(t, heard)
	from, to := netip.AddrPortFrom(host4, 67), netip.MustParseAddr("10.7.0.99")
	for _, p := range []Packet{
		{MAC: guestMAC, From: from, To: netip.AddrPortFrom(to, 67), Payload: []byte("to a server")},
		{MAC: guestMAC, From: from, To: netip.AddrPortFrom(to, 68), Payload: []byte("unicast")},
		{MAC: broadcast, From: from, To: netip.MustParseAddrPort("255.255.255.255:68"), Payload: []byte("broadcast")},
	} {
		must(t, server.Send(p))
	}
	heard.wait(t, "dhcp4", says("broadcast"))
	if p := heard.wait(t, "dhcp4", says("unicast")); p.From != from || p.To.Addr() != to {
		t.Errorf("heard %+v", p)
	}
	if n := len(heard.heard); n != 2 {
		t.Errorf("heard %d messages: %v", n, heard.heard)
	}
	if !client.Running() || !client.Alive() {
		t.Error("the link is not running")
	}
}

func TestClientHearsWhoHasAnAddressNotWhoWantsIt(t *testing.T) {
	t.Parallel()
	heard := &record{}
	server, _ := openClient(t, heard)
	mac, err := server.link.mac()
	must(t, err)
	must(t, server.Probe(netip.MustParseAddr("10.7.0.77")))
	for i, op := range []uint64{arpRequest, arpReply} {
		inject(t, server.link, unix.ETH_P_ARP, broadcast, appendGratuitous(nil, op, mac, netip.AddrFrom4([4]byte{10, 7, 0, byte(80 + i)})))
	}
	for _, a := range []string{"10.7.0.80", "10.7.0.81"} {
		heard.wait(t, "arp", func(p Packet) bool { return p.From.Addr() == netip.MustParseAddr(a) && p.MAC == mac })
	}
	for _, p := range heard.heard {
		if p.From.Addr() == netip.MustParseAddr("10.7.0.77") {
			t.Error("a probe was taken for a claim")
		}
	}
}

func TestClientNoticesThatItsLinkHasNoCarrierOrIsGone(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	c, err := OpenClient(guest.NS(), "eth0", &record{})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, machine.Down(nstest.PortName("guest")))
	nstest.Eventually(t, patience, func() error {
		if c.Running() {
			return errors.New("it has a carrier")
		}
		return nil
	})
	must(t, guest.Unplug("eth0"))
	nstest.Eventually(t, patience, func() error { return ended(c.link) })
}

func TestOutletFindsDevices(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	must(t, machine.Sysctl("net/ipv6/conf/lab0/forwarding", "1"))
	for _, c := range []struct {
		host interface {
			MAC(string) (spec.MAC, error)
		}
		name   string
		router bool
	}{{machine, "lab0", true}, {guest, "eth0", false}} {
		ns := machine.NS()
		if c.name == "eth0" {
			ns = guest.NS()
		}
		o, err := OpenOutlet(ns)
		must(t, err)
		t.Cleanup(func() { o.Close() })
		mac, err := c.host.MAC(c.name)
		must(t, err)
		d, err := o.Find(c.name)
		if err != nil || d.MAC != mac || !d.Running || d.Router != c.router || d.Index == 0 {
			t.Errorf("%s: %+v, %v", c.name, d, err)
		}
		if _, err := o.Find("gone"); !errors.Is(err, unix.ENODEV) {
			t.Errorf("a device that is not there: %v", err)
		}
		if here := c.name == "lab0"; o.Holds(host4) != here || o.Holds(host6) != here || o.Holds(guest4) == here {
			t.Errorf("%s: whose addresses are whose", c.name)
		}
	}
}
