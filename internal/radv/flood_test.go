package radv

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"

	"kvmnet/internal/captured"
	"kvmnet/internal/socket"
)

// garbage makes the i-th of many malformed solicitations out of a sound one.
func garbage(r *rand.Rand, i int, sound []byte) []byte {
	b := bytes.Clone(sound)
	switch i % 5 {
	case 0:
		return b[:r.IntN(headerSize)]
	case 1: // an option without length
		b[headerSize+1] = 0
	case 2: // an option that ends behind the message
		b[headerSize+1] = byte(2 + r.IntN(254))
	case 3:
		b[1] = byte(1 + r.IntN(255))
	default:
		return append(b, 0)
	}
	return b
}

// TestFloodOfGarbageIsCountedAndNotLogged: a guest can send as fast as it likes.
func TestFloodOfGarbageIsCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	const flood = 10_000
	var log bytes.Buffer
	w := &wire{}
	s := New(Options{Link: w, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	defer s.Close()
	s.Set(sample(), bridge, linkLocal)
	w.take()
	c := captured.Read(t)["linux-solicitation"]
	random := rand.New(rand.NewPCG(1, 2))
	for i := range flood {
		s.Solicit(socket.Packet{MAC: guestMAC, From: netip.AddrPortFrom(c.From, 0), To: netip.AddrPortFrom(c.To, 0), HopLimit: 255, Payload: garbage(random, i, c.Payload)})
	}
	if n := s.Counters(); n.Discarded != flood || n.Unicast != 0 {
		t.Errorf("counted %+v", n)
	}
	if got := w.take(); len(got) != 0 || log.Len() != 0 {
		t.Errorf("answered %d times, and said %s", len(got), log.Bytes())
	}
}
