package socket

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sender is what one sendto(2) needs. It comes from a pool, with the function
// that the poller calls made once, so that sending allocates nothing.
type sender struct {
	to   sockaddr
	size uintptr // of to
	data []byte
	own  []byte // room for data
	err  unix.Errno
	try  func(fd uintptr)
}

var senders = sync.Pool{New: func() any {
	s := &sender{}
	s.try = s.once
	return s
}}

// once sends without waiting.
func (s *sender) once(fd uintptr) {
	for {
		_, _, s.err = unix.Syscall6(unix.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(unsafe.SliceData(s.data))), uintptr(len(s.data)), unix.MSG_DONTWAIT,
			uintptr(unsafe.Pointer(&s.to)), s.size)
		if s.err != unix.EINTR {
			return
		}
	}
}

// send sends data to the address, and gives the sender back.
func (s *sender) send(c *conn, data []byte) error {
	s.data = data
	err := c.raw.Control(s.try)
	if err == nil && s.err != 0 {
		err = s.err
	}
	s.data = nil
	senders.Put(s)
	return err
}

// full says whether an error means that there was no room just now.
func full(err error) bool { return err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM }
