package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// listenUDP serves a socket until the end of the test.
func listenUDP(t testing.TB, ns *netns.NS, addr string, readers int, handle func(u *UDP, batch []Datagram)) *UDP {
	t.Helper()
	u, err := ListenUDP(ns, netip.MustParseAddrPort(addr))
	must(t, err)
	var served sync.WaitGroup
	for range readers {
		served.Go(func() {
			if err := u.Serve(func(batch []Datagram) { handle(u, batch) }); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		u.Close()
		served.Wait()
	})
	return u
}

// whence answers with the query and where it came from.
func whence(_ *UDP, batch []Datagram) {
	for i := range batch {
		d := &batch[i]
		d.Reply = fmt.Appendf(d.Reply, "%s by %d from %s", d.Data, d.Index, d.From.Addr())
	}
}

func connectTo(t testing.TB, c *net.UDPConn, to string) {
	t.Helper()
	raw, err := c.SyscallConn()
	must(t, err)
	a := netip.MustParseAddrPort(to)
	must(t, raw.Control(func(fd uintptr) {
		var sa unix.Sockaddr = &unix.SockaddrInet4{Port: int(a.Port())}
		if a.Addr().Is4() {
			sa.(*unix.SockaddrInet4).Addr = a.Addr().As4()
		} else {
			sa = &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
		}
		must(t, unix.Connect(int(fd), sa))
	}))
}

// ask sends a datagram and returns the answer.
func ask(t testing.TB, c *net.UDPConn, to netip.AddrPort, question string) string {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort([]byte(question), to); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	must(t, err)
	if from.Addr().Unmap().WithZone("") != to.Addr().WithZone("") || from.Port() != to.Port() {
		t.Errorf("answer from %s, want %s", from, to)
	}
	return string(buf[:n])
}

func TestDatagramTellsByWhichInterfaceItCame(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	var lab0 int
	must(t, machine.NS().Do(func() error {
		l, err := net.InterfaceByName("lab0")
		lab0 = l.Index
		return err
	}))
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(host4, 53), netip.AddrPortFrom(host6, 53)} {
		listenUDP(t, machine.NS(), to.String(), 1, whence)
		any, from := "0.0.0.0:0", guest4
		if to.Addr().Is6() {
			any, from = "[::]:0", guest6
		}
		if got, want := ask(t, listenAt(t, guest.NS(), any), to, "guest"), fmt.Sprintf("guest by %d from %s", lab0, from); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		// The packet passes lo, but the kernel tells the interface that has the
		// address.
		if got, want := ask(t, listenAt(t, machine.NS(), any), to, "host"), fmt.Sprintf("host by %d from %s", lab0, to.Addr()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLinkLocalGuestsAreAnswered(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	addrs, err := machine.Addresses("lab0")
	must(t, err)
	for _, p := range addrs {
		if !p.Addr().IsLinkLocalUnicast() {
			continue
		}
		listenUDP(t, machine.NS(), netip.AddrPortFrom(p.Addr().WithZone("lab0"), 53).String(), 1, func(u *UDP, batch []Datagram) {
			for i, d := range batch { // half at once, half later
				if string(d.Data) == "now" {
					batch[i].Reply = append(d.Reply, "now"...)
				} else if err := u.Send(d.From, d.Index, []byte("later")); err != nil {
					t.Error(err)
				}
			}
		})
		c := listenAt(t, guest.NS(), "[::]:0")
		for _, text := range []string{"now", "later"} {
			var got string
			must(t, guest.NS().Do(func() error { // the zone is the guest's
				got = ask(t, c, netip.AddrPortFrom(p.Addr().WithZone("eth0"), 53), text)
				return nil
			}))
			if got != text {
				t.Errorf("got %q, want %q", got, text)
			}
		}
		return
	}
	t.Errorf("no link-local address among %v", addrs)
}

func TestAddressMayComeLater(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	for _, c := range []struct{ prefix, any string }{{"10.7.0.53/24", "0.0.0.0:0"}, {"fd00:7::53/64", "[::]:0"}} {
		p := netip.MustParsePrefix(c.prefix)
		to := netip.AddrPortFrom(p.Addr(), 53)
		listenUDP(t, machine.NS(), to.String(), 1, whence)
		l, err := ListenTCP(machine.NS(), to)
		must(t, err)
		defer l.Close()
		must(t, machine.AddAddress("lab0", p))
		if got := ask(t, listenAt(t, guest.NS(), c.any), to, "hello"); !strings.HasPrefix(got, "hello by") {
			t.Errorf("%s: got %q", to, got)
		}
		var conn net.Conn
		must(t, guest.NS().Do(func() (err error) {
			conn, err = net.DialTimeout("tcp", to.String(), patience)
			return err
		}))
		conn.Close()
	}
}

func TestManyReadersAnswerEveryQueryOnce(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	u := listenUDP(t, machine.NS(), "10.7.0.1:53", 3, whence)
	c := listenAt(t, guest.NS(), "0.0.0.0:0")
	seen := map[string]int{}
	for round := range 10 {
		for i := range 50 {
			_, err := c.WriteToUDPAddrPort(fmt.Appendf(nil, "%d.%d", round, i), netip.AddrPortFrom(host4, 53))
			must(t, err)
		}
		for range 50 {
			buf := make([]byte, 100)
			n, _, err := c.ReadFromUDPAddrPort(buf)
			must(t, err)
			name, _, _ := strings.Cut(string(buf[:n]), " ")
			seen[name]++
		}
	}
	if len(seen) != 500 {
		t.Errorf("%d different answers, want 500", len(seen))
	}
	nstest.Eventually(t, patience, func() error { // an answer is counted after it left
		if n := u.Counters(); n.Received != 500 || n.Sent != 500 || n.Dropped != 0 {
			return fmt.Errorf("%+v, want 500", n)
		}
		return nil
	})
}

func TestSilenceAndOversizeAreNotAnswered(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	u := listenUDP(t, machine.NS(), "10.7.0.1:53", 1, func(_ *UDP, batch []Datagram) {
		for i, d := range batch {
			if string(d.Data) != "silence" {
				batch[i].Reply = d.Data // any slice will do
			}
		}
	})
	c := listenAt(t, guest.NS(), "0.0.0.0:0")
	to := netip.AddrPortFrom(host4, 53)
	for _, text := range []string{"silence", strings.Repeat("x", slotSize+1)} {
		_, err := c.WriteToUDPAddrPort([]byte(text), to)
		must(t, err)
	}
	if got := ask(t, c, to, "speak"); got != "speak" {
		t.Errorf("got %.20q", got)
	}
	if n := u.Counters(); n.Received != 3 || n.Malformed != 1 {
		t.Errorf("%+v, want 1 of 3 malformed", n)
	}
}

func TestAnswerThatCannotBeSentDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	u := listenUDP(t, machine.NS(), "10.7.0.1:53", 1, func(_ *UDP, batch []Datagram) {
		for i, d := range batch {
			batch[i].Reply = d.Data
			if string(d.Data) == "too long" {
				batch[i].Reply = make([]byte, 1<<16)
			}
		}
	})
	c := listenAt(t, guest.NS(), "0.0.0.0:0")
	to := netip.AddrPortFrom(host4, 53)
	_, err := c.WriteToUDPAddrPort([]byte("too long"), to)
	must(t, err)
	if got := ask(t, c, to, "fits"); got != "fits" {
		t.Errorf("got %q", got)
	}
	if n := u.Counters(); n.Dropped != 1 {
		t.Errorf("%+v, want 1 dropped", n)
	}
	if err := u.Send(to, 0, make([]byte, 1<<16)); !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("send: %v, want EMSGSIZE", err)
	}
	if err := u.Send(netip.AddrPortFrom(guest6, 1), 0, []byte("x")); err == nil {
		t.Error("sent IPv6 on an IPv4 socket")
	}
}

func TestListenOnAnUnknownZone(t *testing.T) {
	t.Parallel()
	if _, err := ListenUDP(nstest.NS(t), netip.MustParseAddrPort("[fe80::1%none0]:53")); !errors.Is(err, unix.ENODEV) {
		t.Errorf("got %v, want ENODEV", err)
	}
}
