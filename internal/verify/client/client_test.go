package client

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestMain(m *testing.M) { nstest.Main(m) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wire is a guest with a client, and a server at the other end of its cable.
type wire struct {
	guest, server *testhost.Host
	client        *Client
	heard         *testhost.Capture // by the server
}

const (
	brief = 300 * time.Millisecond // for what does not come
	long  = 5 * time.Second
)

var (
	gateway4 = netip.MustParsePrefix("10.0.0.1/24")
	gateway6 = netip.MustParsePrefix("fd00::1/64")
	guest4   = netip.MustParsePrefix("10.0.0.2/24")
	router   = netip.MustParseAddr("fe80::1")
)

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{guest: nstest.Host(t, "guest"), server: nstest.Host(t, "server")}
	must(t, w.guest.Plug(testhost.Plug{Outside: w.server.NS(), OutsideName: "eth0"}))
	must(t, w.server.AddAddress("eth0", gateway4, gateway6))
	must(t, w.guest.AddAddress("eth0", guest4))
	var err error
	w.heard, err = w.server.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return !p.Outgoing })
	must(t, err)
	w.client, err = Open(w.guest.NS(), "eth0")
	must(t, err)
	t.Cleanup(func() { w.client.Close() })
	return w
}

// reply has the server answer the first packet of a kind by another one, sent by
// hand.
func (w *wire) reply(t *testing.T, is func(testhost.Packet) bool, answer func(q testhost.Packet) testhost.Packet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	done := make(chan error, 1)
	go func() {
		q, err := w.heard.Wait(ctx, is)
		if err == nil {
			a := answer(q)
			a.DstMAC = q.SrcMAC
			err = w.server.Spoof(ctx, "eth0", a)
		}
		done <- err
	}()
	t.Cleanup(func() {
		defer cancel()
		must(t, <-done)
	})
}

func toPort(port uint16) func(testhost.Packet) bool {
	return func(p testhost.Packet) bool { return p.Proto == testhost.UDP && p.DstPort == port }
}

// offer answers a DISCOVER.
func offer(q []byte, a, server netip.Addr) []byte {
	b := slices.Clone(q[:headerSize4])
	b[0] = 2
	copy(b[16:], a.AsSlice())
	b = append(b, 0, optMessage, 1, kindOffer, optServer, 4) // with padding
	return append(append(b, server.AsSlice()...), optEnd)
}

func TestDiscoverHearsAnOffer(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	a := netip.MustParseAddr("10.0.0.9")
	w.reply(t, toPort(serverPort4), func(q testhost.Packet) testhost.Packet {
		if len(q.Payload) != 300 || q.Payload[0] != 1 || spec.MAC(q.Payload[28:34]) != q.SrcMAC {
			t.Errorf("the request is %x", q.Payload)
		}
		return testhost.Packet{Proto: testhost.UDP, Src: gateway4.Addr(), Dst: a, SrcPort: serverPort4, DstPort: clientPort4, Payload: offer(q.Payload, a, gateway4.Addr())}
	})
	o, err := w.client.Discover(t.Context(), long)
	must(t, err)
	if o == nil || o.Addr != a || o.Server != gateway4.Addr() || o.Wrong(gateway4) != "" {
		t.Errorf("got %+v", o)
	}
}

// A server on a kernel socket leaves the checksum to the card; a veth has none, and
// nobody fills it in.
func TestChecksumLeftToTheCardIsSeen(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	var conn *net.UDPConn
	must(t, w.server.NS().Do(func() error {
		c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1) })
		}}
		p, err := c.ListenPacket(t.Context(), "udp4", ":67")
		if err == nil {
			conn = p.(*net.UDPConn)
		}
		return err
	}))
	defer conn.Close()
	go func() {
		buf := make([]byte, 1500)
		if n, _, err := conn.ReadFrom(buf); err == nil {
			conn.WriteTo(offer(buf[:n], netip.MustParseAddr("10.0.0.9"), gateway4.Addr()), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 255), Port: clientPort4})
		}
	}()
	o, err := w.client.Discover(t.Context(), long)
	must(t, err)
	if o == nil || o.Wrong(gateway4) != "wrong UDP checksum" {
		t.Errorf("got %+v", o)
	}
}

func TestSolicitHearsAnAdvertise(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	a := netip.MustParseAddr("fd00::9")
	w.reply(t, toPort(serverPort6), func(q testhost.Packet) testhost.Packet {
		b := q.Payload
		if b[0] != kindSolicit || option6(b[4:], 14) != nil {
			t.Errorf("the request is %x: it must not ask for rapid commit", b)
		}
		ia := append(slices.Clone(option6(b[4:], optIANA)), appendOption6(nil, optAddress, append(a.AsSlice(), make([]byte, 8)...))...)
		answer := appendOption6([]byte{kindAdvertise, b[1], b[2], b[3]}, optServerID, []byte{0, 3, 0, 1})
		answer = appendOption6(appendOption6(answer, optClientID, option6(b[4:], optClientID)), optIANA, ia)
		return testhost.Packet{Proto: testhost.UDP, Src: router, Dst: q.Src, SrcPort: serverPort6, DstPort: clientPort6, Payload: answer}
	})
	got, err := w.client.Solicit(t.Context(), long)
	must(t, err)
	if got == nil || got.Addr != a || got.Wrong(gateway6) != "" {
		t.Errorf("got %+v", got)
	}
}

// advertisement is a router advertisement with one prefix.
func advertisement(lifetime uint16, prefix netip.Prefix) []byte {
	b := make([]byte, ndFixed+8+32)
	binary.BigEndian.PutUint16(b[2:], lifetime)
	o := b[ndFixed:]
	o[0], o[1] = ndSource, 1
	o = o[8:]
	o[0], o[1], o[2] = ndPrefix, 4, byte(prefix.Bits())
	copy(o[16:], prefix.Addr().AsSlice())
	return b
}

func TestSolicitRouterHearsAnAdvertisement(t *testing.T) {
	t.Parallel()
	own, err := spec.ParseMAC("52:54:00:01:02:03")
	must(t, err)
	for _, c := range []struct {
		name   string
		by     spec.MAC
		answer bool
	}{{"of anybody", spec.MAC{}, true}, {"of the right one", own, true}, {"of a guest that is a router", spec.MAC{2}, false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWire(t)
			w.reply(t, func(p testhost.Packet) bool {
				return p.Proto == testhost.ICMP && p.Type == typeSolicitation && len(p.Payload) > 4 && p.Dst == allRouters
			},
				func(q testhost.Packet) testhost.Packet {
					return testhost.Packet{Proto: testhost.ICMP, Type: typeAdvertisement, TTL: 255, SrcMAC: own, Src: router, Dst: q.Src, Payload: advertisement(1800, gateway6.Masked())}
				})
			wait := long
			if !c.answer {
				wait = brief
			}
			got, err := w.client.SolicitRouter(t.Context(), wait, c.by)
			must(t, err)
			if (got != nil) != c.answer || got != nil && (got.String() != "fd00::/64, router" || got.Wrong() != "") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestSilenceIsNoError(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	o, err1 := w.client.Discover(t.Context(), brief)
	a, err2 := w.client.Solicit(t.Context(), brief)
	r, err3 := w.client.SolicitRouter(t.Context(), brief, spec.MAC{})
	n, err4 := w.client.Query(t.Context(), brief, Name{"x.", dnsmessage.TypeA}, spec.MAC{2}, guest4.Addr(), gateway4.Addr())
	if err := errors.Join(err1, err2, err3, err4); err != nil || o != nil || a != nil || r != nil || n != nil {
		t.Errorf("got %+v %+v %+v %+v, %v", o, a, r, n, err)
	}
	asked := map[uint16]int{}
	for _, p := range w.heard.Select(func(p testhost.Packet) bool { return p.Proto == testhost.UDP }) {
		asked[p.DstPort]++
	}
	if asked[serverPort4] != attempts || asked[serverPort6] != attempts || asked[dnsPort] != attempts {
		t.Errorf("asked %v, want each %d times", asked, attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client.Discover(ctx, long); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "guest")
	for ifname, want := range map[string]string{
		"eth9": "listen for servers on eth9: route ip+net: no such network interface",
		"lo":   "listen for servers on lo: lo has no Ethernet address",
	} {
		if _, err := Open(h.NS(), ifname); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
