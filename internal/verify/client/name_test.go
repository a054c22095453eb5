package client

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/testhost"
)

// response answers a question by a resource, in the answer or, for SOA, in the
// authority section.
func response(t testing.TB, query []byte, code dnsmessage.RCode, bodies ...dnsmessage.ResourceBody) []byte {
	var m dnsmessage.Message
	must(t, m.Unpack(query))
	m.Response, m.Authoritative, m.RCode = true, true, code
	for _, b := range bodies {
		r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}, Body: b}
		if _, soa := b.(*dnsmessage.SOAResource); soa {
			r.Header.Name = dnsmessage.MustNewName("lab.")
			m.Authorities = append(m.Authorities, r)
			continue
		}
		m.Answers = append(m.Answers, r)
	}
	packed, err := m.Pack()
	must(t, err)
	return packed
}

func soa() dnsmessage.ResourceBody {
	return &dnsmessage.SOAResource{NS: dnsmessage.MustNewName("ns."), MBox: dnsmessage.MustNewName("mail.")}
}

func TestQueryPassesTheIPStack(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	stranger, far := netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("198.51.100.1")
	w.reply(t, toPort(dnsPort), func(q testhost.Packet) testhost.Packet {
		return testhost.Packet{Proto: testhost.UDP, Src: q.Dst, Dst: q.Src, SrcPort: dnsPort, DstPort: q.SrcPort,
			Payload: response(t, q.Payload, dnsmessage.RCodeNameError, soa())}
	})
	mac, err := w.server.MAC("eth0")
	must(t, err)
	got, err := w.client.Query(t.Context(), long, Name{"nobody.lab.", dnsmessage.TypeA}, mac, stranger, far)
	must(t, err)
	if got == nil || got.Code != "NameError" || !got.Authoritative || got.SOA != "lab." {
		t.Errorf("got %+v", got)
	}
}

func TestAskOverUDPAndTCP(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	n := Name{"vm1.lab.", dnsmessage.TypeA}
	for _, network := range []string{"udp", "tcp"} {
		if _, err := n.Ask(t.Context(), w.guest.NS(), network, guest4.Addr(), gateway4.Addr(), long); err == nil || err.Error() != "connection refused" {
			t.Errorf("%s without a server: %v", network, err)
		}
	}
	var packets net.PacketConn
	var streams net.Listener
	must(t, w.server.NS().Do(func() (err error) { packets, err = net.ListenPacket("udp4", ":53"); return err }))
	defer packets.Close()
	must(t, w.server.NS().Do(func() (err error) { streams, err = net.Listen("tcp4", ":53"); return err }))
	defer streams.Close()
	body := &dnsmessage.AResource{A: [4]byte{10, 0, 0, 7}}
	go func() {
		for buf := make([]byte, 512); ; {
			n, from, err := packets.ReadFrom(buf)
			if err != nil {
				return
			}
			packets.WriteTo([]byte("noise"), from)
			packets.WriteTo(response(t, buf[:n], dnsmessage.RCodeSuccess, body), from)
		}
	}()
	go func() {
		conn, err := streams.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 512)
		n, _ := conn.Read(buf)
		answer := response(t, buf[2:n], dnsmessage.RCodeSuccess, body)
		conn.Write(append([]byte{0, byte(len(answer))}, answer...))
	}()
	for _, network := range []string{"udp", "tcp"} {
		a, err := n.Ask(t.Context(), w.guest.NS(), network, guest4.Addr(), gateway4.Addr(), long)
		if err != nil || len(a.Addrs) != 1 || a.Addrs[0].String() != "10.0.0.7" {
			t.Errorf("%s: got %+v, %v", network, a, err)
		}
	}
	if _, err := n.Ask(t.Context(), w.guest.NS(), "udp", guest4.Addr(), netip.MustParseAddr("10.0.0.77"), brief); err == nil || err.Error() != "silence" {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := (Name{strings.Repeat("x", 300), dnsmessage.TypeA}).Ask(t.Context(), w.guest.NS(), "udp", guest4.Addr(), gateway4.Addr(), brief); err == nil {
		t.Error("asked for a name that is too long")
	}
}

func TestAnswersToOtherQuestionsAreNone(t *testing.T) {
	t.Parallel()
	n := Name{"vm1.lab.", dnsmessage.TypePTR}
	q, err := n.message(7)
	must(t, err)
	right := response(t, q, dnsmessage.RCodeSuccess, &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("x.")},
		&dnsmessage.AAAAResource{AAAA: [16]byte{0xfd}}, &dnsmessage.TXTResource{TXT: []string{"t"}})
	if a, err := n.read(7, right); err != nil || a.Targets[0] != "x." || a.Addrs[0].String() != "fd00::" {
		t.Errorf("the right one: %+v, %v", a, err)
	}
	for name, c := range map[string]struct {
		n  Name
		id uint16
		b  []byte
	}{
		"another number": {n, 8, right}, "another name": {Name{"vm2.lab.", dnsmessage.TypePTR}, 7, right}, "a question": {n, 7, q}, "noise": {n, 7, []byte("x")},
	} {
		if _, err := c.n.read(c.id, c.b); err == nil {
			t.Errorf("%s was taken for an answer", name)
		}
	}
}

func TestReverseNames(t *testing.T) {
	t.Parallel()
	for a, want := range map[string]string{
		"192.0.2.7":   "7.2.0.192.in-addr.arpa.",
		"2001:db8::a": "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
	} {
		if got := ReverseName(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}
