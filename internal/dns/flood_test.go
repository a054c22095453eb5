package dns

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"

	"kvmnet/internal/captured"
	"kvmnet/internal/nstest"
)

// TestFloodOfGarbageIsCountedAndNotLogged: a guest can send as fast as it likes,
// over the network.
func TestFloodOfGarbageIsCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	const flood, burst = 10_000, 100 // no more at once than the socket holds
	var log, warned lines
	c := labPlan()
	c.Rate = 0
	w := newWorld(t, c, Options{Names: labNames(), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Warn: func(s string) { fmt.Fprintln(&warned, s) }})
	var conn net.Conn
	must(t, w.guest.NS().Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(context.Background(), "udp", "192.168.100.1:53")
		return err
	}))
	defer conn.Close()
	sound := captured.Read(t)["dig-query-a"].Payload
	for i := range flood {
		_, err := conn.Write(garbage(i, sound))
		must(t, err)
		if sent := uint64(i + 1); sent%burst == 0 {
			nstest.Eventually(t, ample, func() error {
				if n := w.s.Counters(); n.Queries != sent || n.Malformed != sent {
					return fmt.Errorf("sent %d, counted %+v", sent, n)
				}
				return nil
			})
		}
	}
	if log.count() != 0 || warned.count() != 0 {
		t.Errorf("%d lines and %d warnings", log.count(), warned.count())
	}
}

// garbage makes the i-th of many malformed messages out of a sound query.
func garbage(i int, sound []byte) []byte {
	b := bytes.Clone(sound)
	switch i % 4 {
	case 0: // cut off in the header
		return b[:1+i%(headerLen-1)]
	case 1: // cut off in the question
		return b[:headerLen+i%10]
	case 2: // an answer
		b[2] |= 0x80
	default: // five questions
		b[5] = 5
	}
	return b
}

// lines counts lines.
type lines struct {
	mu sync.Mutex
	n  int
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}
