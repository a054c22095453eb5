package socket

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batchSize   = 32
	slotSize    = 2048 // bytes of a message; a longer one is cut off and not served
	controlSize = 64   // holds struct tpacket_auxdata, in_pktinfo or in6_pktinfo with its header
)

// batch has room for the messages of one recvmmsg(2). It is 75 KiB, so it comes
// from a pool and stays with a socket only while there is something to read.
type batch struct {
	n       int // messages received
	headers [batchSize]unix.Mmsghdr
	vectors [batchSize]unix.Iovec
	names   [batchSize]sockaddr
	control [batchSize][controlSize]byte
	data    [batchSize][slotSize]byte
}

// wire points the headers at the room for their messages.
func (b *batch) wire() {
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i][0]
		b.vectors[i].SetLen(slotSize)
		h := &b.headers[i].Hdr
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = b.names[i].pointer()
		h.Control = &b.control[i][0]
	}
}

// receive reads what is queued, without waiting.
func (b *batch) receive(fd uintptr) error {
	for i := range b.headers {
		h := &b.headers[i].Hdr
		h.Namelen = sockaddrSize
		h.SetControllen(controlSize)
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd,
			uintptr(unsafe.Pointer(&b.headers)), batchSize, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			b.n = int(n)
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// message is the i-th message. It is whole when the kernel had to cut nothing.
func (b *batch) message(i int) (data []byte, whole bool) {
	h := &b.headers[i]
	return b.data[i][:min(h.Len, slotSize)], h.Hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) == 0
}

// ancillary is what the kernel tells beside the i-th message under that level
// and type, nil when nothing.
func (b *batch) ancillary(i, level, kind int) []byte {
	rest := b.control[i][:min(int(b.headers[i].Hdr.Controllen), controlSize)]
	for len(rest) >= unix.SizeofCmsghdr {
		h, data, after, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return nil
		}
		if int(h.Level) == level && int(h.Type) == kind {
			return data
		}
		rest = after
	}
	return nil
}

// reader reads batches of B from a socket. Each goroutine has its own.
type reader[B receiver] struct {
	conn *conn
	pool *sync.Pool
	got  B
	err  error
	try  func(fd uintptr) bool // made once, so that a wait allocates nothing
}

type receiver interface{ receive(fd uintptr) error }

func newReader[B receiver](c *conn, pool *sync.Pool) *reader[B] {
	r := &reader[B]{conn: c, pool: pool}
	r.try = r.once
	return r
}

// next waits for messages. The caller puts the batch back into the pool. After
// the socket is closed the error is os.ErrClosed, however much is queued: the
// socket is let go of between batches.
func (r *reader[B]) next() (b B, err error) {
	if err := r.conn.raw.Read(r.try); err != nil {
		if r.conn.closed.Load() { // the poller has an error of its own for it
			err = os.ErrClosed
		}
		return b, err
	}
	b, r.got = r.got, b
	return b, r.err
}

// once tries to read, and keeps no batch when there is nothing.
func (r *reader[B]) once(fd uintptr) bool {
	b := r.pool.Get().(B)
	r.err = b.receive(fd)
	if r.err == nil {
		r.got = b
		return true
	}
	r.pool.Put(b)
	return r.err != unix.EAGAIN
}
