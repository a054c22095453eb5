package testhost

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// socket is a descriptor opened inside a namespace and served by the runtime's
// poller outside of it. It is closed by the file, so a blocked reader wakes up.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// openSocket opens a non-blocking socket in a namespace. prepare runs inside the
// namespace, before the poller sees the socket: a connect in there shows the
// poller no state that is not true yet.
func openSocket(ns *netns.NS, domain, kind, proto int, prepare func(fd int) error) (*socket, error) {
	var fd int
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		if err != nil {
			return fmt.Errorf("open socket: %w", err)
		}
		if err := prepare(fd); err != nil {
			unix.Close(fd)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "socket")
	raw, err := f.SyscallConn()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open socket: %w", err)
	}
	return &socket{file: f, raw: raw}, nil
}

func (s *socket) Close() error { return s.file.Close() }

// until makes reads and writes fail at the deadline, or once the context is
// done. The caller runs stop when it needs neither any more.
func (s *socket) until(ctx context.Context, deadline time.Time) (stop func() bool) {
	s.file.SetDeadline(deadline)
	return context.AfterFunc(ctx, func() { s.file.SetDeadline(time.Unix(1, 0)) })
}

// recv waits for one message. The address is the zero value for sockets that
// have none.
func (s *socket) recv(buf []byte) (n int, from netip.AddrPort, err error) {
	wait := s.raw.Read(func(fd uintptr) bool {
		var sa unix.Sockaddr
		n, sa, err = unix.Recvfrom(int(fd), buf, 0)
		from = addrPort(sa)
		return err != unix.EAGAIN && err != unix.EINTR
	})
	if wait != nil {
		return 0, netip.AddrPort{}, wait
	}
	return n, from, err
}

// send sends one message, to nobody in particular on a connected socket.
func (s *socket) send(b []byte, to unix.Sockaddr) (err error) {
	wait := s.raw.Write(func(fd uintptr) bool {
		if to == nil {
			_, err = unix.Write(int(fd), b)
		} else {
			err = unix.Sendto(int(fd), b, 0, to)
		}
		return err != unix.EAGAIN && err != unix.EINTR
	})
	if wait != nil {
		return wait
	}
	return err
}

// control runs a function on the descriptor without waiting for anything.
func (s *socket) control(fn func(fd int) error) error {
	var err error
	if lost := s.raw.Control(func(fd uintptr) { err = fn(int(fd)) }); lost != nil {
		return lost
	}
	return err
}

// domain is the socket family of an address.
func domain(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// sockaddr turns an address into the kernel's form. A zone is looked up by name
// in the calling thread's namespace.
func sockaddr(a netip.Addr, port uint16) (unix.Sockaddr, error) {
	if a.Is4() {
		return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}, nil
	}
	sa := &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
	if zone := a.Zone(); zone != "" {
		link, err := net.InterfaceByName(zone)
		if err != nil {
			return nil, fmt.Errorf("find interface %s: %w", zone, err)
		}
		sa.ZoneId = uint32(link.Index)
	}
	return sa, nil
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
