package socket

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

var broadcast = spec.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Send sends a packet from the bridge: ICMPv6 when both ports are 0, else UDP.
// It may be called from any goroutine and never waits: what the kernel has no
// room for is dropped and counted, as on a wire. Its errors are a packet that
// cannot be built or is longer than the MTU, and a bridge that is down or gone.
func (l *Link) Send(p Packet) error {
	s := senders.Get().(*sender)
	etherType, packet, err := p.appendIP(s.own[:0])
	if err != nil {
		senders.Put(s)
		return err
	}
	if err := l.send(s, etherType, p.MAC, packet); err != nil {
		return fmt.Errorf("send %d bytes to %s at %s: %w", len(p.Payload), p.To, p.MAC, err)
	}
	return nil
}

// Probe asks all guests whether one of them has an IPv4 address (RFC 5227); who
// has it answers to the handler's ARP.
func (l *Link) Probe(a netip.Addr) error {
	if !a.Is4() {
		return fmt.Errorf("probe %s: it is not an IPv4 address", a)
	}
	mac, err := l.mac()
	if err != nil {
		return fmt.Errorf("probe %s: %w", a, err)
	}
	s := senders.Get().(*sender)
	if err := l.send(s, unix.ETH_P_ARP, broadcast, appendProbe(s.own[:0], mac, a)); err != nil {
		return fmt.Errorf("probe %s: %w", a, err)
	}
	return nil
}

func (l *Link) send(s *sender, etherType uint16, to spec.MAC, packet []byte) error {
	s.own = packet
	s.size = s.to.setFrame(l.index, etherType, to)
	err := s.send(l.conn, packet)
	if full(err) {
		l.tally.dropped.Add(1)
		return nil
	}
	if err == nil {
		l.tally.sent.Add(1)
	}
	return err
}

// mac is the bridge's Ethernet address. One that was not set by hand changes
// with the bridge's ports.
func (l *Link) mac() (mac spec.MAC, err error) {
	err = l.conn.control(func(fd int) error {
		sa, err := unix.Getsockname(fd)
		if ll, ok := sa.(*unix.SockaddrLinklayer); ok {
			copy(mac[:], ll.Addr[:])
		}
		return err
	})
	if err == nil && mac.IsZero() {
		err = unix.ENODEV
	}
	return mac, err
}
