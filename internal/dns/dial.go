package dns

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// conn is a connected socket to an upstream server: of UDP, each Read is one
// datagram.
type conn interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	SetDeadline(time.Time) error
	Close() error
}

// dial connects to a server from inside a namespace, nil = the daemon's own. The
// kernel picks the source port at random for each socket, and takes datagrams
// from that server only. A stream is connected by the deadline.
func dial(ns *netns.NS, to netip.AddrPort, stream bool, deadline time.Time) (conn, error) {
	kind, domain := unix.SOCK_DGRAM, unix.AF_INET6
	if stream {
		kind = unix.SOCK_STREAM
	}
	if to.Addr().Is4() {
		domain = unix.AF_INET
	}
	fd := -1
	open := func() (err error) {
		fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		return err
	}
	err := error(nil)
	if ns == nil {
		err = open()
	} else {
		err = ns.Do(open)
	}
	if err != nil {
		return nil, fmt.Errorf("open socket to %s: %w", to, err)
	}
	f := os.NewFile(uintptr(fd), "upstream")
	f.SetDeadline(deadline)
	if err := connect(f, fd, to); err != nil {
		f.Close()
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	return f, nil
}

// connect starts connecting and waits until the socket can be written. A wake-up
// may come too early, so that the peer is asked for, too.
func connect(f *os.File, fd int, to netip.AddrPort) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	address, err := sockaddr(fd, to)
	if err != nil {
		return err
	}
	var started bool
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		if !started {
			started = true
			failed = unix.Connect(int(fd), address)
			return failed != unix.EINPROGRESS
		}
		if code, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
			failed = unix.Errno(code)
			return true
		}
		_, failed = unix.Getpeername(int(fd))
		return failed != unix.ENOTCONN
	})
	if err != nil {
		return err
	}
	return failed
}

// sockaddr makes the kernel's address; a zone is an interface in the socket's
// namespace.
func sockaddr(fd int, to netip.AddrPort) (unix.Sockaddr, error) {
	if to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}, nil
	}
	sa := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	if zone := to.Addr().Zone(); zone != "" {
		r, err := unix.NewIfreq(zone)
		if err == nil {
			err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r)
		}
		if err != nil {
			return nil, fmt.Errorf("find interface %s: %w", zone, err)
		}
		sa.ZoneId = r.Uint32()
	}
	return sa, nil
}
