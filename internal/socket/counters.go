package socket

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// Counters tell what passed a socket since it was opened, in messages.
type Counters struct {
	Received  uint64 // read from the socket, good or not
	Malformed uint64 // with a wrong length, checksum or hop limit, or longer than 2 KiB
	Tagged    uint64 // of a VLAN, not served
	Lost      uint64 // the kernel had no room in the socket: we read too slowly
	Sent      uint64
	Dropped   uint64 // not sent
}

// tally counts in several goroutines.
type tally struct{ received, malformed, tagged, lost, sent, dropped atomic.Uint64 }

func (t *tally) counters() Counters {
	return Counters{
		Received: t.received.Load(), Malformed: t.malformed.Load(), Tagged: t.tagged.Load(),
		Lost: t.lost.Load(), Sent: t.sent.Load(), Dropped: t.dropped.Load(),
	}
}

// Counters returns what was counted so far.
func (l *Link) Counters() Counters {
	l.conn.control(func(fd int) error {
		// Reading the kernel's count resets it.
		stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err == nil {
			l.tally.lost.Add(uint64(stats.Drops))
		}
		return err
	})
	return l.tally.counters()
}
