package client

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// attempts is how often a question is put within its time, evenly spread.
const attempts = 3

// Client asks from one interface, past the IP stack. Its methods may be called
// from any goroutine.
type Client struct {
	mac  spec.MAC
	file *os.File
	raw  syscall.RawConn
	done chan struct{}

	mu      sync.Mutex
	closed  bool
	waiting map[*waiter]struct{}
	buf     []byte
}

// waiter is a question without an answer yet.
type waiter struct {
	is  func(frame) bool
	got chan frame // holds one
}

// Open makes a client on an interface of a namespace.
func Open(ns *netns.NS, ifname string) (*Client, error) {
	c := &Client{done: make(chan struct{}), waiting: map[*waiter]struct{}{}, buf: make([]byte, 1<<16)}
	fd := -1
	err := ns.Do(func() (err error) {
		fd, err = c.bind(ifname)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for servers on %s: %w", ifname, err)
	}
	c.file = os.NewFile(uintptr(fd), "client")
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, fmt.Errorf("listen for servers on %s: %w", ifname, err)
	}
	go c.run()
	return c, nil
}

// bind opens the socket inside the namespace. With protocol 0 it hears nothing
// before it is bound.
func (c *Client) bind(ifname string) (int, error) {
	link, err := net.InterfaceByName(ifname)
	if err != nil {
		return -1, err
	}
	if len(link.HardwareAddr) != len(c.mac) {
		return -1, fmt.Errorf("%s has no Ethernet address", ifname)
	}
	c.mac = spec.MAC(link.HardwareAddr)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8, Ifindex: link.Index}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

// Close ends the client; questions under way find no answer.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	err := c.file.Close()
	<-c.done
	return err
}

func (c *Client) run() {
	defer close(c.done)
	c.raw.Read(func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drain(int(fd))
		return c.closed
	})
}

// drain reads what is queued. The lock is held.
func (c *Client) drain(fd int) {
	for {
		n, sa, err := unix.Recvfrom(fd, c.buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR, err == unix.ENETDOWN: // the interface went down: it may come back
			continue
		case err != nil:
			return
		}
		if ll, ok := sa.(*unix.SockaddrLinklayer); !ok || ll.Pkttype == unix.PACKET_OUTGOING || len(c.waiting) == 0 {
			continue
		}
		f := read(c.buf[:n])
		for w := range c.waiting {
			if w.is(f) {
				w.got <- f
				delete(c.waiting, w)
			}
		}
	}
}

// flush reads what is queued, so that silence is true when it is told.
func (c *Client) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.raw.Control(func(fd uintptr) { c.drain(int(fd)) })
	}
}

// ask sends a packet up to three times within a time and returns the first frame
// that is an answer; false is silence.
func (c *Client) ask(ctx context.Context, p testhost.Packet, wait time.Duration, is func(frame) bool) (frame, bool, error) {
	w := &waiter{is: is, got: make(chan frame, 1)}
	c.mu.Lock()
	c.waiting[w] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, w)
	}()
	for range attempts {
		if err := c.send(p); err != nil {
			return frame{}, false, err
		}
		select {
		case f := <-w.got:
			return f, true, nil
		case <-time.After(wait / attempts):
		case <-ctx.Done():
			return frame{}, false, ctx.Err()
		}
	}
	c.flush()
	select {
	case f := <-w.got:
		return f, true, nil
	default:
		return frame{}, false, nil
	}
}

// send sends a packet from the interface; its destination's Ethernet address is
// filled in where it is a group.
func (c *Client) send(p testhost.Packet) error {
	p.SrcMAC = c.mac
	if p.DstMAC.IsZero() {
		p.DstMAC = group(p.Dst)
	}
	b, err := p.Frame()
	if err != nil {
		return err
	}
	var sent error
	if err := c.raw.Control(func(fd uintptr) { _, sent = unix.Write(int(fd), b) }); err != nil {
		return fmt.Errorf("send to %s: %w", p.Dst, err)
	}
	if sent != nil && sent != unix.EAGAIN && sent != unix.ENOBUFS { // those are lost, as on any wire
		return fmt.Errorf("send to %s: %w", p.Dst, sent)
	}
	return nil
}

// group is the Ethernet address of a multicast group (RFC 2464, section 7) or of
// everybody.
func group(a netip.Addr) spec.MAC {
	if a.Is4() {
		return spec.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	b := a.As16()
	return spec.MAC{0x33, 0x33, b[12], b[13], b[14], b[15]}
}

// linkLocal is the address that an interface makes of its Ethernet address (RFC
// 4291, appendix A).
func (c *Client) linkLocal() netip.Addr {
	m := c.mac
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
