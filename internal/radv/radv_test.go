package radv

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

var (
	bridge    = spec.MAC{0x52, 0x54, 0, 1, 2, 3}
	guestMAC  = spec.MAC{0x52, 0x54, 0, 9, 9, 9}
	linkLocal = netip.MustParseAddr("fe80::1")
	guest     = netip.MustParseAddr("fe80::9")
)

// sample is an advertisement with everything in it.
func sample() *plan.RA {
	return &plan.RA{
		Interval: 600, Lifetime: 1800, Preference: "high", HopLimit: 64, Managed: true, Other: true, MTU: 1450,
		Prefixes: []plan.RAPrefix{
			{Prefix: netip.MustParsePrefix("fd00:1::/64"), Autonomous: true, Valid: 86400, Preferred: 14400},
			{Prefix: netip.MustParsePrefix("fd00:2::/64"), Valid: spec.Infinite, Preferred: spec.Infinite},
		},
		Routes: []spec.RARoute{{To: netip.MustParsePrefix("fd00:9::/48"), Lifetime: 1800, Preference: "low"}},
		DNS:    []netip.Addr{netip.MustParseAddr("fd00:1::1")},
		Search: []string{"lab.internal"},
	}
}

// sent is an advertisement and when it went.
type sent struct {
	socket.Packet
	at time.Time
}

// wire is a Link that keeps what it is given.
type wire struct {
	mu   sync.Mutex
	all  []sent
	fail error
}

func (w *wire) Send(p socket.Packet) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, sent{p, time.Now()})
	return w.fail
}

// take returns what was sent since the last take.
func (w *wire) take() []sent {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

// one returns the only advertisement sent since the last take.
func (w *wire) one(t *testing.T) sent {
	t.Helper()
	all := w.take()
	if len(all) != 1 {
		t.Fatalf("%d advertisements were sent, want one", len(all))
	}
	return all[0]
}

// newTest makes a server whose random numbers are all r.
func newTest(t *testing.T, r float64) (*Server, *wire) {
	w := &wire{}
	s := New(Options{Link: w, Rand: func() float64 { return r }})
	t.Cleanup(s.Close)
	return s, w
}

func parse(t testing.TB, b []byte) *ndp.RouterAdvertisement {
	t.Helper()
	m, err := ndp.ParseMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	return m.(*ndp.RouterAdvertisement)
}

// find returns the options of one type.
func find[T ndp.Option](ra *ndp.RouterAdvertisement) []T {
	var found []T
	for _, o := range ra.Options {
		if v, ok := o.(T); ok {
			found = append(found, v)
		}
	}
	return found
}

// solicitation is a router solicitation with options as raw bytes.
func solicitation(from netip.Addr, options ...byte) socket.Packet {
	payload := append([]byte{typeSolicitation, 0, 0, 0, 0, 0, 0, 0}, options...)
	return socket.Packet{MAC: guestMAC, From: netip.AddrPortFrom(from, 0), HopLimit: 255, Payload: payload,
		To: netip.AddrPortFrom(netip.IPv6LinkLocalAllRouters(), 0)}
}
