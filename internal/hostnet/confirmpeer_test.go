package hostnet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

func TestEndsOfASessionAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.7:50022":         "192.0.2.7:50022",
		"[2001:db8::7]:50022":     "[2001:db8::7]:50022",
		"[fe80::7%br0]:50022":     "[fe80::7]:50022",
		"[::ffff:192.0.2.7]:22":   "192.0.2.7:22",
		"[fe80::7%a]b]:50022":     "",
		"192.0.2.7":               "",
		"":                        "",
		"somewhere.example.org:1": "",
	} {
		a, err := readEnd(text)
		if got := a.String(); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: got %s, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzReadEnd(f *testing.F) {
	f.Add("[fe80::7%br0]:50022")
	f.Add("%%]")
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := readEnd(text); err == nil && (a.Addr().Zone() != "" || a.Addr().Is4In6()) {
			t.Errorf("%q: %s", text, a)
		}
	})
}

// peered is a machine with a server behind eth0, where clients are, and eth1, where an
// address of the same client is, too.
type peered struct {
	*rig
	machine, client *testhost.Host
}

func newPeered(t *testing.T) *peered {
	t.Helper()
	p := &peered{rig: newRig(t), machine: nstest.Host(t, "machine"), client: nstest.Host(t, "client")}
	t.Cleanup(func() { p.Close(context.WithoutCancel(t.Context())) }) // who waits for connections looks at the machine
	p.NS = p.machine.NS()
	if err := p.machine.Bridge("br0"); err != nil { // what eth0 would be in, with its addresses
		t.Fatal(err)
	}
	nstest.Join(t, p.client, p.machine, "br0", netip.MustParsePrefix("192.0.2.7/24"), netip.MustParsePrefix("2001:db8::7/64"))
	if err := p.machine.AddAddress("br0", netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("2001:db8::2/64")); err != nil {
		t.Fatal(err)
	}
	for _, family := range []string{"tcp4", "tcp6"} {
		p.listen(family)
	}
	return p
}

// listen greets who comes, as sshd does.
func (p *peered) listen(family string) {
	p.t.Helper()
	var l net.Listener
	err := p.machine.NS().Do(func() (err error) { l, err = net.Listen(family, ":22"); return err })
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.WriteString(c, "SSH-2.0-test\r\n")
				io.Copy(io.Discard, c)
				c.Close()
			}()
		}
	}()
}

// dial connects from the client, closed at the end of the test.
func (p *peered) dial(to string) net.Conn {
	p.t.Helper()
	var c net.Conn
	err := p.client.NS().Do(func() (err error) {
		c, err = net.DialTimeout("tcp", to, 5*time.Second)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *peered) confirmed() error {
	changes, err := p.Changes(p.t.Context())
	if err == nil && changes[0].State != api.ChangeConfirmed {
		err = errors.New(changes[0].State)
	}
	return err
}

func TestNewConnectionOfTheSamePeerConfirms(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"192.0.2.2:22", "[2001:db8::2]:22"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			p := newPeered(t)
			session, older := p.dial(to), p.dial(to)
			peer := api.Peer{Client: session.LocalAddr().String(), Server: session.RemoteAddr().String()}
			// The fake kernel moves nothing: the addresses are on br0 already.
			c, err := p.rearm(peer)
			if err != nil || !strings.HasSuffix(c.Watches, " to port 22") {
				t.Fatalf("%+v, %v", c, err)
			}
			_, err = io.WriteString(older, "still here") // proves nothing new
			if err != nil {
				t.Fatal(err)
			}
			if p.confirmed() == nil {
				t.Error("confirmed without a new connection")
			}
			p.dial(to)
			nstest.Eventually(t, 10*time.Second, p.confirmed)
			changes, _ := p.Changes(t.Context())
			if !strings.HasPrefix(changes[0].Why, "a new connection from ") {
				t.Error(changes[0].Why)
			}
		})
	}
}

// rearm arms a change whose interface is br0 before and after.
func (p *peered) rearm(peer api.Peer) (api.Conversion, error) {
	return p.change(p.t.Context(), 60, peer, false, func() (job, error) {
		m, err := p.rig.kernel.into("br0", "br0", bridgeOptions{})
		return job{nic: "br0", bridge: "br0", into: true, move: m}, err
	})
}

func TestSessionOverAnotherInterfaceDoesNotConfirm(t *testing.T) {
	t.Parallel()
	p := newPeered(t)
	session := p.dial("192.0.2.2:22")
	c, err := p.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br9", Peer: api.Peer{Client: session.LocalAddr().String(), Server: session.RemoteAddr().String()}})
	if err != nil || c.Watches != "" || !strings.Contains(strings.Join(c.Warnings, ""), "your session does not come by eth0") {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestConnectionsProveOnlyWhatTheyMust(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	s := session{at("192.0.2.7:50022"), at("192.0.2.2:22")}
	for name, c := range map[string]struct {
		f    liveFlow
		want bool
	}{
		"new, acknowledged":  {liveFlow{flow{at("192.0.2.2:22"), at("192.0.2.7:50023")}, 21}, true},
		"nothing comes back": {liveFlow{flow{at("192.0.2.2:22"), at("192.0.2.7:50023")}, 0}, false},
		"the session itself": {liveFlow{flow{at("192.0.2.2:22"), at("192.0.2.7:50022")}, 21}, false},
		"another peer":       {liveFlow{flow{at("192.0.2.2:22"), at("192.0.2.8:50023")}, 21}, false},
		"another port":       {liveFlow{flow{at("192.0.2.2:80"), at("192.0.2.7:50023")}, 21}, false},
	} {
		if got := c.f.proves(s); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
