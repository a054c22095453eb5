package dhcp4

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"

	"kvmnet/internal/socket"
)

// garbage makes the i-th of many malformed datagrams out of sound ones.
func garbage(r *rand.Rand, i int, sound []byte) []byte {
	b := bytes.Clone(sound)
	switch i % 4 {
	case 0: // cut off before the options
		return b[:r.IntN(headerSize)]
	case 1: // an answer
		b[0] = 2
	case 2: // the first option ends behind the message
		b[headerSize+1], b = 250, b[:headerSize+20]
	default:
		b = b[:r.IntN(len(b))]
		for j := range b {
			b[j] = byte(r.Uint32())
		}
	}
	return b
}

// TestFloodOfGarbageIsCountedAndNotLogged: a guest can send as fast as it likes.
func TestFloodOfGarbageIsCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	const flood = 10_000
	var log bytes.Buffer
	r := newRig(t)
	defer r.close()
	r.server.o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.server.Set(captureNet())
	sound := messages(t)["udhcpc-discover"].payload
	random := rand.New(rand.NewPCG(1, 2))
	for i := range flood {
		r.server.Handle(socket.Packet{MAC: guest(byte(i)), To: netip.AddrPortFrom(everybody, 67), Payload: garbage(random, i, sound)})
	}
	c := r.server.Counters()
	if c.Received != flood || c.Malformed < flood*3/4 || c.Malformed+c.BOOTP+c.NotEthernet != flood {
		t.Errorf("counted %+v", c)
	}
	if len(r.take()) != 0 || len(r.table.Leases()) != 0 {
		t.Error("garbage was answered")
	}
	if lines := bytes.Count(log.Bytes(), []byte("\n")) + len(r.warnings("")); lines > 3 {
		t.Errorf("%d lines, %q, %s", lines, r.warnings(""), log.Bytes()[:min(2000, log.Len())])
	}
}
