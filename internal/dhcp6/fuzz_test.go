package dhcp6

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// corpus reads testdata/*.hex: messages in the shape that real clients, firmware
// and relay agents send them.
func corpus(t failer) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	messages := map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatalf("%v", err)
		}
		b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		messages[strings.TrimSuffix(filepath.Base(f), ".hex")] = b
	}
	return messages
}

func TestRealMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	for name, b := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := sample()
			d.Scopes[0].Boot = &plan.Boot{Server: addr("fd00:1::1"), File: "x", Files: map[string]string{"http-x64": "http://b/x"}}
			r := newRig(t, d)
			p := r.ask(socket.Packet{MAC: spec.MAC{0x52, 0x54, 0, 0x12, 0x34, 0x56}, From: netip.MustParseAddrPort("[fe80::99]:546"), To: allServers, Payload: b})
			answer, err := dhcpv6.FromBytes(p.Payload)
			if err != nil {
				t.Fatal(err)
			}
			m, err := answer.GetInnerMessage()
			if err != nil {
				t.Fatal(err)
			}
			if o := m.Options.OneIANA(); b[0] == byte(doSolicit) && (o == nil || o.Options.OneAddress() == nil) {
				t.Errorf("no address is offered: %s", m.Summary())
			}
			boots := strings.Contains(name, "uefi") || strings.Contains(name, "ipxe")
			if boots != (m.Options.BootFileURL() != "") {
				t.Errorf("boots %q", m.Options.BootFileURL())
			}
			named := map[string]string{"networkd-solicit": "web", "dhcpcd-solicit": "guest", "windows-solicit": "desktop-1"}
			if want := named[name]; want != "" && (m.Options.FQDN() == nil || m.Options.FQDN().DomainName.Labels[0] != want+".lab.internal") {
				t.Errorf("told its name %v, want %s", m.Options.FQDN(), want)
			}
		})
	}
}

// addressed is a captured message as it would be sent to this server.
func addressed(c capture) []byte {
	if c.Message == nil || c.Options.GetOne(dhcpv6.OptionServerID) == nil || dhcpv6.MessageType(c.payload[0]) != c.MessageType {
		return c.payload
	}
	c.UpdateOption(toServer)
	return c.ToBytes()
}

// FuzzHandle: no message breaks the server, and every answer is whole, of the same
// exchange, and in as many envelopes as the request. Each message meets a book with
// what the one before left.
func FuzzHandle(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add([]byte{}, b, true)
		f.Add([]byte{}, b, false)
	}
	all := messages(f)
	for _, c := range all {
		f.Add(addressed(all[c.client+"-request"]), addressed(c), true)
	}
	d := behind()
	d.Scopes = append(d.Scopes, captureNet().Scopes...)
	book, err := lease.Open(f.TempDir(), lease.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = book.Close() })
	f.Fuzz(func(t *testing.T, before, b []byte, multicast bool) {
		to := netip.AddrPortFrom(linkLocal, 547)
		if multicast {
			to = allServers
		}
		l := &one{}
		s := newServer(Options{Link: l, DUID: serverDUID, Source: func() netip.Addr { return linkLocal }}, instant{book.Table("lab")})
		s.Set(d)
		for _, m := range [][]byte{before, b} {
			answers := l.answers
			s.Handle(socket.Packet{MAC: macA, From: agent, To: to, Payload: m})
			if l.answers > answers {
				sound(t, m, l.payload)
			}
		}
		if l.answers > 0 {
			book.Drop("lab", nil)
		}
	})
}

// sound reads the answer without the codec's demands on DUIDs, which are the
// client's to choose.
func sound(t *testing.T, asked, answered []byte) {
	relays, inner, err := peel(asked)
	if err != nil {
		t.Fatalf("answered what cannot be read: %v", err)
	}
	for range relays {
		if dhcpv6.MessageType(answered[0]) != dhcpv6.MessageTypeRelayReply {
			t.Fatalf("an envelope is missing: %x", answered)
		}
		if _, answered, err = open(answered); err != nil {
			t.Fatalf("the envelope cannot be read: %v", err)
		}
	}
	kind := dhcpv6.MessageType(answered[0])
	if !bytes.Equal(answered[1:4], inner[1:4]) || kind != dhcpv6.MessageTypeReply && kind != dhcpv6.MessageTypeAdvertise {
		t.Fatalf("%x answered with %x", asked, answered)
	}
	var options dhcpv6.Options
	if err := options.FromBytesWithParser(answered[4:], decode); err != nil {
		t.Fatalf("the answer cannot be read: %v", err)
	}
	for _, o := range options.Get(dhcpv6.OptionIANA) {
		if ia := o.(*dhcpv6.OptIANA); ia.T1 > ia.T2 {
			t.Errorf("T1 %s is after T2 %s", ia.T1, ia.T2)
		}
	}
}

// one is a Link that keeps the last answer.
type one struct {
	payload []byte
	answers int
}

func (o *one) Send(p socket.Packet) error {
	o.payload = p.Payload
	o.answers++
	return nil
}
