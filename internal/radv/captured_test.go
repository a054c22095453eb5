package radv

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/socket"
)

// capture is a solicitation that a real system sent, see
// testdata/captured/README.md.
type capture struct {
	from, to netip.Addr
	payload  []byte
}

// captured reads testdata/captured, by the name of the file.
func captured(t testing.TB) map[string]capture {
	t.Helper()
	files, err := filepath.Glob("testdata/captured/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	list := map[string]capture{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		title, digits, _ := strings.Cut(string(text), "\n")
		_, way, _ := strings.Cut(title, ", from ")
		from, to, _ := strings.Cut(way, " to ")
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list[filepath.Base(file)] = capture{netip.MustParseAddr(from), netip.MustParseAddr(to), b}
	}
	return list
}

func TestCapturedSolicitationsAreAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range captured(t) {
		s, w := newTest(t, 0.5)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Solicit(socket.Packet{MAC: guestMAC, From: netip.AddrPortFrom(c.from, 0), To: netip.AddrPortFrom(c.to, 0), HopLimit: 255, Payload: c.payload})
		a := w.one(t)
		if ra := parse(t, a.Payload); a.To.Addr() != c.from || a.MAC != guestMAC || len(ra.Options) == 0 {
			t.Errorf("%s: answered %+v to %s at %s", name, ra, a.To, a.MAC)
		}
		if n := s.Counters(); n.Discarded != 0 || n.Unicast != 1 {
			t.Errorf("%s: counters %+v", name, n)
		}
	}
}
