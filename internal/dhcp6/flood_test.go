package dhcp6

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// garbage makes the i-th of many malformed messages out of a sound one.
func garbage(r *rand.Rand, i int, sound []byte) []byte {
	b := bytes.Clone(sound)
	switch i % 5 {
	case 0: // without a header
		return b[:r.IntN(4)]
	case 1: // the first option ends behind the message
		b[6], b = 0xff, b[:20]
	case 2: // a relay agent's, with nothing inside
		return append([]byte{byte(dhcpv6.MessageTypeRelayForward)}, make([]byte, dhcpv6.RelayHeaderSize-1)...)
	case 3: // an answer
		b[0] = byte(dhcpv6.MessageTypeReply)
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
	r := newRig(t, captureNet())
	r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	sound := messages(t)["dhclient-solicit"].payload
	random := rand.New(rand.NewPCG(1, 2))
	for i := range flood {
		r.Handle(socket.Packet{MAC: spec.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)}, From: netip.AddrPortFrom(addr("fe80::99"), clientPort),
			To: allServers, Payload: garbage(random, i, sound)})
	}
	c := r.Counters()
	if c.Malformed < flood*3/5 || c.Invalid < flood/5 || c.Malformed+c.Invalid != flood {
		t.Errorf("counted %+v", c)
	}
	if len(r.sent) != 0 || len(r.table.Leases()) != 0 {
		t.Error("garbage was answered")
	}
	if lines := bytes.Count(log.Bytes(), []byte("\n")) + len(r.warnings()); lines > 3 {
		t.Errorf("%d lines, %q, %s", lines, r.warnings(), log.Bytes()[:min(2000, log.Len())])
	}
}
