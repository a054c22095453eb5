package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Handler is told what a Link hears. Its methods are called one at a time by the
// link's goroutine, which reads on when they return: they must not block, nor
// call Close. Packets addressed to others come, too, when guests send them
// through the host, so To must be looked at.
type Handler interface {
	DHCP4(Packet)                      // to UDP port 67
	DHCP6(Packet)                      // to UDP port 547
	Solicit(Packet)                    // ICMPv6 router solicitation
	ARP(mac spec.MAC, addr netip.Addr) // a reply: who sent this frame says to have that address
}

// Link hears and answers the guests of one bridge.
type Link struct {
	conn    *conn
	index   int
	handler Handler
	hear    func(f frame, whole bool)
	done    chan struct{}
	pause   time.Duration // until the next look at a bridge that is down
	tally   tally
}

// linkBuffer holds a burst of some hundred frames while the handler is busy.
const linkBuffer = 1 << 20

var batches = sync.Pool{New: func() any {
	b := &batch{}
	b.wire()
	return b
}}

// OpenLink listens on a bridge, until Close or until the bridge is gone. A bridge
// that is down is waited for.
func OpenLink(ns *netns.NS, bridge string, h Handler) (*Link, error) {
	l := &Link{handler: h, done: make(chan struct{})}
	l.hear = l.take
	if err := l.open(ns, bridge, wanted); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Link) open(ns *netns.NS, bridge string, filter []bpf.Instruction) (err error) {
	// Datagram sockets leave the Ethernet header to the kernel, so that frames
	// bear the bridge's address even after it changed. Protocol 0 hears nothing
	// until bind says from where.
	l.conn, err = open(ns, unix.AF_PACKET, unix.SOCK_DGRAM, 0, func(fd int) error { return l.prepare(fd, bridge, filter) })
	if err != nil {
		return fmt.Errorf("listen to the guests of %s: %w", bridge, err)
	}
	go l.serve()
	return nil
}

func (l *Link) prepare(fd int, bridge string, filter []bpf.Instruction) (err error) {
	if l.index, err = indexOf(fd, bridge); err != nil {
		return err
	}
	if err := attach(fd, filter); err != nil {
		return err
	}
	receiveBuffer(fd, linkBuffer)
	if err := set(fd,
		option{"PACKET_AUXDATA", unix.SOL_PACKET, unix.PACKET_AUXDATA, 1},
		option{"PACKET_IGNORE_OUTGOING", unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
	); err != nil {
		return err
	}
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: swapped(unix.ETH_P_ALL), Ifindex: l.index}))
}

// Alive says whether the link has not ended: by Close, because the bridge is gone,
// or because the socket cannot be read any more.
func (l *Link) Alive() bool {
	select {
	case <-l.done:
		return false
	default:
		return true
	}
}

// Close ends the link; the handler is not called any more when it returns. It
// takes about 10 ms, for which the kernel makes sure that no packet is on its way
// through the socket (synchronize_net in packet_release), so those who close many
// close them at the same time.
func (l *Link) Close() error {
	err := l.conn.close()
	<-l.done
	return err
}

// serve reads until the socket is closed or the bridge is gone.
func (l *Link) serve() {
	defer close(l.done)
	r := newReader[*batch](l.conn, &batches)
	for {
		b, err := r.next()
		switch {
		case err == nil:
			l.deliver(b)
			batches.Put(b)
		case !passing(err) && !errors.Is(err, os.ErrDeadlineExceeded), l.gone():
			return
		}
	}
}

func (l *Link) deliver(b *batch) {
	for i := range b.n {
		body, whole := b.message(i)
		f := frame{body: body}
		f.etherType, f.mac = b.names[i].frame()
		f.status, f.vlan = auxiliary(b.ancillary(i, unix.SOL_PACKET, unix.PACKET_AUXDATA))
		l.tally.received.Add(1)
		l.hear(f, whole)
	}
}

// take hands a frame to the handler.
func (l *Link) take(f frame, whole bool) {
	kind, p := f.parse()
	if !whole {
		kind = malformed
	}
	l.hand(kind, p)
}

// auxiliary reads the status and VLAN of struct tpacket_auxdata.
func auxiliary(b []byte) (status uint32, vlan uint16) {
	if len(b) < int(unsafe.Sizeof(unix.TpacketAuxdata{})) {
		return 0, 0
	}
	return binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[unsafe.Offsetof(unix.TpacketAuxdata{}.Vlan_tci):])
}

func (l *Link) hand(k kind, p Packet) {
	switch k {
	case dhcp4:
		l.handler.DHCP4(p)
	case dhcp6:
		l.handler.DHCP6(p)
	case solicit:
		l.handler.Solicit(p)
	case arp:
		l.handler.ARP(p.MAC, p.From.Addr())
	case tagged:
		l.tally.tagged.Add(1)
	case malformed:
		l.tally.malformed.Add(1)
	}
}

const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// gone says, after an error, whether the bridge is gone. A bridge is down before
// it is gone, and the kernel tells a packet socket of the first only
// (packet_notifier). So while the bridge is down it is looked at again, after
// growing pauses: a read ends when its deadline is over.
func (l *Link) gone() bool {
	var bound, up bool
	l.conn.control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		ll, ok := sa.(*unix.SockaddrLinklayer)
		bound = err == nil && ok && ll.Ifindex == l.index
		up = bound && isUp(fd, l.index)
		return nil
	})
	if up {
		l.pause = 0
		l.conn.file.SetReadDeadline(time.Time{})
		return false
	}
	l.pause = min(max(2*l.pause, firstPause), lastPause)
	l.conn.file.SetReadDeadline(time.Now().Add(l.pause))
	return !bound
}
