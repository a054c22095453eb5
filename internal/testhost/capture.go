package testhost

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Capture holds the packets that passed an interface since it began. A packet is
// in it as soon as the kernel has handled it: Packets reads what is queued
// before it answers, so "nothing was seen" is true at the moment it is said.
type Capture struct {
	host   *Host
	sock   *socket
	filter func(Packet) bool
	done   chan struct{}

	mu      sync.Mutex
	packets []Packet
	dropped uint32
	names   map[int]string
	changed chan struct{} // closed and replaced when packets arrive
	closed  bool
	buf     []byte
}

// captureBuffer holds what arrives while nobody reads: about 10,000 small
// packets.
const captureBuffer = 8 << 20

// Capture listens on an interface of the host, in both directions, or on all of
// them if ifname is "". filter says which packets to keep; nil keeps all. It
// ends with the context, its Close, or the host's.
func (h *Host) Capture(ctx context.Context, ifname string, filter func(Packet) bool) (*Capture, error) {
	c, err := h.capture(ctx, ifname, filter)
	if err != nil {
		return nil, err
	}
	if err := h.own(c); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { c.Close() })
	return c, nil
}

// capture leaves closing to the caller.
func (h *Host) capture(ctx context.Context, ifname string, filter func(Packet) bool) (*Capture, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("capture on %s of %s: %w", ifname, h.name, err)
	}
	if filter == nil {
		filter = func(Packet) bool { return true }
	}
	// Protocol 0 hears nothing until bind says from where.
	sock, err := openSocket(h.ns, unix.AF_PACKET, unix.SOCK_RAW, 0, func(fd int) error {
		return bindPacket(fd, ifname)
	})
	if err != nil {
		return nil, fmt.Errorf("capture on %s of %s: %w", ifname, h.name, err)
	}
	c := &Capture{
		host: h, sock: sock, filter: filter, done: make(chan struct{}),
		names: map[int]string{}, changed: make(chan struct{}), buf: make([]byte, 1<<16),
	}
	go c.run()
	return c, nil
}

// bindPacket binds a packet socket to an interface for every protocol. It runs
// inside the namespace.
func bindPacket(fd int, ifname string) error {
	// Force needs CAP_NET_ADMIN outside of user namespaces; less will do.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, captureBuffer)
	}
	sa := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL)}
	if ifname != "" {
		link, err := net.InterfaceByName(ifname)
		if err != nil {
			return fmt.Errorf("find interface: %w", err)
		}
		sa.Ifindex = link.Index
	}
	if err := unix.Bind(fd, sa); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// run keeps the queue of the socket short.
func (c *Capture) run() {
	defer close(c.done)
	c.sock.raw.Read(func(fd uintptr) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.drain(int(fd))
		return c.closed
	})
}

// drain reads what is queued. The lock is held.
func (c *Capture) drain(fd int) {
	before := len(c.packets)
	for {
		n, sa, err := unix.Recvfrom(fd, c.buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR || err == unix.ENETDOWN { // the interface went down: it may come back
			continue
		}
		if err != nil {
			break
		}
		if p := c.parse(c.buf[:n], sa); c.filter(p) {
			p.Raw = append([]byte(nil), p.Raw...)
			c.packets = append(c.packets, p)
		}
	}
	if len(c.packets) > before {
		close(c.changed)
		c.changed = make(chan struct{})
	}
	if stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		c.dropped += stats.Drops
	}
}

func (c *Capture) parse(frame []byte, sa unix.Sockaddr) Packet {
	p := ParsePacket(frame)
	p.At, p.Raw = time.Now(), frame
	if ll, ok := sa.(*unix.SockaddrLinklayer); ok {
		p.Outgoing = ll.Pkttype == unix.PACKET_OUTGOING
		p.Interface = c.nameOf(ll.Ifindex)
	}
	return p
}

func (c *Capture) nameOf(index int) string {
	name, known := c.names[index]
	if !known {
		if link, err := c.host.nl.LinkByIndex(index); err == nil {
			name = link.Attrs().Name
			c.names[index] = name
		}
	}
	return name
}

// Packets returns what was kept so far, oldest first.
func (c *Capture) Packets() []Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return append([]Packet(nil), c.packets...)
}

// catchUp drains the queue now. The lock is held; on a closed capture there is
// no queue any more.
func (c *Capture) catchUp() {
	if !c.closed {
		c.sock.control(func(fd int) error { c.drain(fd); return nil })
	}
}

// Select returns the packets for which match holds, oldest first.
func (c *Capture) Select(match func(Packet) bool) []Packet {
	var out []Packet
	for _, p := range c.Packets() {
		if match(p) {
			out = append(out, p)
		}
	}
	return out
}

// Forget empties the capture.
func (c *Capture) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	c.packets = nil
}

// Dropped is the number of packets that the kernel could not queue. "Nothing was
// seen" means something only while it is zero.
func (c *Capture) Dropped() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.catchUp()
	return int(c.dropped)
}

// Wait returns the first packet for which match holds, waiting for it until the
// context is done.
func (c *Capture) Wait(ctx context.Context, match func(Packet) bool) (Packet, error) {
	for {
		c.mu.Lock()
		changed := c.changed
		c.catchUp()
		for _, p := range c.packets {
			if match(p) {
				c.mu.Unlock()
				return p, nil
			}
		}
		n := len(c.packets)
		c.mu.Unlock()
		select {
		case <-changed:
		case <-c.done:
			return Packet{}, fmt.Errorf("wait for a packet on %s: the capture is closed, %d packets seen", c.host.name, n)
		case <-ctx.Done():
			return Packet{}, fmt.Errorf("wait for a packet on %s: %w, %d other packets seen", c.host.name, ctx.Err(), n)
		}
	}
}

// Close ends the capture. What was kept can still be read.
func (c *Capture) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.catchUp()
	c.closed = true
	c.mu.Unlock()
	err := c.sock.Close()
	<-c.done
	c.host.disown(c)
	return err
}
