package radv

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/captured"
	"kvmnet/internal/socket"
)

// corpus reads testdata/*.hex: messages in the shape that real systems send them.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	messages := map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		messages[filepath.Base(f)] = b
	}
	return messages
}

func TestRealSolicitationsAreAnswered(t *testing.T) {
	t.Parallel()
	for name, b := range corpus(t) {
		if !valid(socket.Packet{From: netip.AddrPortFrom(guest, 0), Payload: b}) {
			t.Errorf("%s is discarded", name)
		}
	}
}

// FuzzSolicit: no message breaks the server, answers are whole, and what the
// strict reader of the codec takes, we take.
func FuzzSolicit(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b, guest.AsSlice())
		f.Add(b, netip.IPv6Unspecified().AsSlice())
	}
	for _, c := range captured.Read(f) {
		f.Add(c.Payload, c.From.AsSlice())
	}
	f.Fuzz(func(t *testing.T, b, source []byte) {
		from, _ := netip.AddrFromSlice(source)
		w := &wire{}
		s := New(Options{Link: w, Rand: func() float64 { return 0.5 }})
		defer s.Close()
		s.Set(sample(), bridge, linkLocal)
		w.take()
		p := socket.Packet{MAC: guestMAC, From: netip.AddrPortFrom(from, 0), Payload: b}
		s.Solicit(p)
		for _, a := range w.take() {
			if parse(t, a.Payload); a.To.Addr() != from {
				t.Errorf("a unicast answer goes to %s", a.To)
			}
		}
		m, err := ndp.ParseMessage(b)
		if rs, ok := m.(*ndp.RouterSolicitation); ok && err == nil && len(rs.Options) == 0 && from == guest && b[1] == 0 && !valid(p) {
			t.Errorf("%x is discarded", b)
		}
	})
}
