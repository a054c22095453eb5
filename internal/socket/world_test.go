package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// Addresses of the bridge and of the guest that is plugged into it.
var (
	host4, host6   = netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("fd00:7::1")
	guest4, guest6 = netip.MustParseAddr("10.7.0.2"), netip.MustParseAddr("fd00:7::2")
)

var guestMAC = spec.GenerateMAC("guest") // as nstest.Join makes it

// patience is for machines that do many things at once.
const patience = 10 * time.Second

// newWorld is a machine with the bridge lab0 and one guest in it.
func newWorld(t testing.TB) (machine, guest *testhost.Host) {
	t.Helper()
	machine, guest = nstest.Host(t, "machine"), nstest.Host(t, "guest")
	must(t, machine.Bridge("lab0"))
	nstest.Join(t, guest, machine, "lab0", netip.PrefixFrom(guest4, 24), netip.PrefixFrom(guest6, 64))
	must(t, machine.AddAddress("lab0", netip.PrefixFrom(host4, 24), netip.PrefixFrom(host6, 64)))
	return machine, guest
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record remembers what a link hears.
type record struct {
	mu     sync.Mutex
	heard  []Packet // payloads copied
	kinds  []string
	answer func(Packet)
}

func (r *record) note(kind string, p Packet) {
	r.mu.Lock()
	p.Payload = slices.Clone(p.Payload)
	r.heard, r.kinds = append(r.heard, p), append(r.kinds, kind)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(p)
	}
}

func (r *record) DHCP4(p Packet)   { r.note("dhcp4", p) }
func (r *record) DHCP6(p Packet)   { r.note("dhcp6", p) }
func (r *record) Solicit(p Packet) { r.note("solicit", p) }
func (r *record) ARP(mac spec.MAC, a netip.Addr) {
	r.note("arp", Packet{MAC: mac, From: netip.AddrPortFrom(a, 0)})
}

// wait returns the first message of a kind for which match holds.
func (r *record) wait(t testing.TB, kind string, match func(Packet) bool) (found Packet) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, p := range r.heard {
			if r.kinds[i] == kind && match(p) {
				found = p
				return nil
			}
		}
		return fmt.Errorf("no %s among %v %v", kind, r.kinds, r.heard)
	})
	return found
}

// says matches a payload.
func says(text string) func(Packet) bool {
	return func(p Packet) bool { return string(p.Payload) == text }
}

// openLink opens a link, closed at the end of the test.
func openLink(t testing.TB, ns *netns.NS, name string, h Handler) *Link {
	t.Helper()
	l, err := OpenLink(ns, name, h)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// listenAt is an ordinary UDP socket of a host, closed at the end of the test.
func listenAt(t testing.TB, ns *netns.NS, addr string) *net.UDPConn {
	t.Helper()
	var c net.PacketConn
	must(t, ns.Do(func() (err error) {
		c, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp", addr)
		return err
	}))
	t.Cleanup(func() { c.Close() })
	u := c.(*net.UDPConn)
	u.SetDeadline(time.Now().Add(patience))
	return u
}

// inject sends an IP packet or ARP message as it is.
func inject(t testing.TB, l *Link, etherType uint16, to spec.MAC, body []byte) {
	t.Helper()
	if err := l.send(senders.Get().(*sender), etherType, to, body); err != nil {
		t.Fatal(err)
	}
}

func ended(l *Link) error {
	if l.Alive() {
		return errors.New("the link is still alive")
	}
	return nil
}
