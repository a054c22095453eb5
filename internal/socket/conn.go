package socket

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// conn is a socket opened inside a namespace and served by the runtime's poller
// outside of it. Closing it wakes up who waits for it.
type conn struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

// open makes a non-blocking socket in a namespace. prepare runs inside the
// namespace, before the poller sees the socket.
func open(ns *netns.NS, domain, kind, proto int, prepare func(fd int) error) (*conn, error) {
	var fd int
	err := ns.Do(func() (err error) {
		fd, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		if err = prepare(fd); err != nil {
			unix.Close(fd)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	c := &conn{file: os.NewFile(uintptr(fd), "socket")}
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, err
	}
	return c, nil
}

// control runs a function on the descriptor without waiting for anything.
func (c *conn) control(fn func(fd int) error) error {
	var err error
	if lost := c.raw.Control(func(fd uintptr) { err = fn(int(fd)) }); lost != nil {
		return lost
	}
	return err
}

// close wakes up who waits. Closing twice is harmless.
func (c *conn) close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.file.Close()
}

// option is one setsockopt with a number.
type option struct {
	name              string
	level, opt, value int
}

// set sets options in turn.
func set(fd int, options ...option) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o.level, o.opt, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.name, err)
		}
	}
	return nil
}

// receiveBuffer asks for room for a burst. Beyond net.core.rmem_max it takes
// CAP_NET_ADMIN of the first user namespace; less room will do.
func receiveBuffer(fd, size int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
}

// indexOf is the number of an interface in the namespace of the socket. Unlike a
// netlink dump it costs the same with any number of interfaces.
func indexOf(fd int, name string) (int, error) {
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r)
	}
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	return int(r.Uint32()), nil
}

// isUp says whether the interface with that number is up.
func isUp(fd, index int) bool { return flags(fd, index)&unix.IFF_UP != 0 }

// isRunning says whether it is up and has a carrier.
func isRunning(fd, index int) bool {
	const running = unix.IFF_UP | unix.IFF_RUNNING
	return flags(fd, index)&running == running
}

// flags are those of the interface with that number, none when it is gone.
func flags(fd, index int) uint16 {
	r, err := unix.NewIfreq("")
	if err != nil {
		return 0
	}
	r.SetUint32(uint32(index))
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, r) != nil || unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r) != nil {
		return 0
	}
	return r.Uint16()
}

// hardware is the Ethernet address of an interface. The library's ifreq does not
// show it.
func hardware(fd int, name string) (mac spec.MAC, err error) {
	var r struct {
		name [unix.IFNAMSIZ]byte
		kind uint16
		data [22]byte
	}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGIFHWADDR, uintptr(unsafe.Pointer(&r)))
	if errno != 0 {
		return mac, fmt.Errorf("find the Ethernet address of %s: %w", name, errno)
	}
	copy(mac[:], r.data[:])
	return mac, nil
}
