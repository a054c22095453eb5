package socket

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// exchange is a batch of queries and room for the answers.
type exchange struct {
	batch
	datagrams [batchSize]Datagram
	used      int            // datagrams handed out
	slots     [batchSize]int // of each datagram in the batch
	replies   [batchSize][replySize]byte
	answers   [batchSize]unix.Mmsghdr
	contents  [batchSize]unix.Iovec
}

func (e *exchange) wire() {
	e.batch.wire()
	for i := range e.answers {
		e.answers[i].Hdr.Iov = &e.contents[i]
		e.answers[i].Hdr.SetIovlen(1)
	}
}

// pack points the answers at the replies that the handler left, and counts them.
func (e *exchange) pack() (n int) {
	for i := range e.used {
		reply := e.datagrams[i].Reply
		if len(reply) == 0 {
			continue
		}
		slot := e.slots[i]
		e.contents[n].Base = unsafe.SliceData(reply)
		e.contents[n].SetLen(len(reply))
		e.answers[n].Hdr.Name = e.names[slot].pointer()
		e.answers[n].Hdr.Namelen = e.headers[slot].Hdr.Namelen
		n++
	}
	return n
}

// drop forgets the handler's slices, so that a batch in the pool keeps none of
// them.
func (e *exchange) drop() {
	clear(e.datagrams[:e.used])
	for i := range e.used {
		e.contents[i].Base = nil
	}
}

// sending sends the answers of batches, for one goroutine.
type sending struct {
	u       *UDP
	answers []unix.Mmsghdr
	try     func(fd uintptr) // made once, so that sending allocates nothing
}

func (s *sending) all(e *exchange) {
	if n := e.pack(); n > 0 {
		s.answers = e.answers[:n]
		s.u.conn.raw.Control(s.try)
		s.answers = nil
	}
	e.drop()
}

// once sends all answers without waiting. sendmmsg(2) stops at the first that
// cannot be sent; it is dropped, and unless there is no room for any, the others
// follow.
func (s *sending) once(fd uintptr) {
	for len(s.answers) > 0 {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(s.answers))), uintptr(len(s.answers)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			s.u.tally.sent.Add(uint64(n))
			s.answers = s.answers[n:]
		case errno == unix.EINTR:
		case full(errno):
			s.u.tally.dropped.Add(uint64(len(s.answers)))
			return
		default:
			s.u.tally.dropped.Add(1)
			s.answers = s.answers[1:]
		}
	}
}
