package socket

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Outlet sends frames from any interface of a namespace, and hears nothing.
type Outlet struct {
	conn *conn
	ns   *netns.NS
}

// OpenOutlet opens one. To close it takes some milliseconds, see Link.Close.
func OpenOutlet(ns *netns.NS) (*Outlet, error) {
	c, err := open(ns, unix.AF_PACKET, unix.SOCK_DGRAM, 0, func(int) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("open a socket to send from: %w", err)
	}
	return &Outlet{c, ns}, nil
}

// Close ends it.
func (o *Outlet) Close() error { return o.conn.close() }

// Device is an interface to send from.
type Device struct {
	Index   int
	MAC     spec.MAC
	Running bool // it is up and has a carrier
	Router  bool // it forwards IPv6, so its neighbours take it for a router
}

// Find looks an interface up. The error is ENODEV when there is none.
func (o *Outlet) Find(name string) (d Device, err error) {
	err = o.conn.control(func(fd int) error {
		if d.Index, err = indexOf(fd, name); err != nil {
			return err
		}
		d.Running = isRunning(fd, d.Index)
		d.MAC, err = hardware(fd, name)
		return err
	})
	if err == nil {
		err = o.ns.Do(func() error { d.Router = forwards6(name); return nil })
	}
	return d, err
}

// forwards6 says whether an interface of the thread's namespace forwards IPv6.
func forwards6(name string) bool {
	b, _ := os.ReadFile("/proc/sys/net/ipv6/conf/" + name + "/forwarding")
	return len(b) > 0 && b[0] != '0'
}

// Gratuitous tells everybody on the link by ARP that the interface has an address
// (RFC 5227 section 3): as a request, which all implementations of ARP learn from,
// and as a reply, which some wait for before they overwrite what they know.
func (o *Outlet) Gratuitous(d Device, a netip.Addr) error {
	for _, op := range []uint64{arpRequest, arpReply} {
		if err := o.send(d, unix.ETH_P_ARP, broadcast, appendGratuitous(nil, op, d.MAC, a)); err != nil {
			return fmt.Errorf("announce %s: %w", a, err)
		}
	}
	return nil
}

// Advertise tells all nodes on the link that the interface has an address (RFC 4861
// section 7.2.6). Whether it is a router is part of that: who says no is none any
// more for its neighbours.
func (o *Outlet) Advertise(d Device, a netip.Addr) error {
	p := Packet{From: netip.AddrPortFrom(a, 0), To: netip.AddrPortFrom(allNodes, 0), Payload: appendAdvertisement(nil, d.MAC, a, d.Router)}
	etherType, packet, err := p.appendIP(nil)
	if err == nil {
		err = o.send(d, etherType, allNodesMAC, packet)
	}
	if err != nil {
		return fmt.Errorf("announce %s: %w", a, err)
	}
	return nil
}

var (
	allNodes    = netip.MustParseAddr("ff02::1")
	allNodesMAC = spec.MAC{0x33, 0x33, 0, 0, 0, 1}
)

func (o *Outlet) send(d Device, etherType uint16, to spec.MAC, packet []byte) error {
	s := senders.Get().(*sender)
	s.size = s.to.setFrame(d.Index, etherType, to)
	return s.send(o.conn, packet)
}

// appendGratuitous appends an ARP message whose sender and target are the same. A
// reply names the target's hardware address, too.
func appendGratuitous(b []byte, op uint64, from spec.MAC, a netip.Addr) []byte {
	addr, target := a.As4(), spec.MAC{}
	if op == arpReply {
		target = from
	}
	b = binary.BigEndian.AppendUint64(b, arpIPv4|op)
	b = append(append(b, from[:]...), addr[:]...)
	return append(append(b, target[:]...), addr[:]...)
}

// Flags of a neighbour advertisement (RFC 4861 section 4.4).
const (
	flagRouter   = 1 << 7
	flagOverride = 1 << 5

	optTargetMAC = 2 // in units of 8 bytes it is 1 long
)

// appendAdvertisement appends an unsolicited neighbour advertisement without its
// checksum.
func appendAdvertisement(b []byte, from spec.MAC, a netip.Addr, router bool) []byte {
	flags, target := byte(flagOverride), a.As16()
	if router {
		flags |= flagRouter
	}
	b = append(b, icmpNeighbourAdvertise, 0, 0, 0, flags, 0, 0, 0)
	b = append(append(b, target[:]...), optTargetMAC, 1)
	return append(b, from[:]...)
}

// Holds says whether the namespace has an address, and may use it: one that is
// still looked up as a duplicate may not be.
func (o *Outlet) Holds(a netip.Addr) bool {
	domain := unix.AF_INET6
	if a.Is4() {
		domain = unix.AF_INET
	}
	c, err := open(o.ns, domain, unix.SOCK_DGRAM, 0, func(fd int) error { return bind(fd, netip.AddrPortFrom(a, 0), 0) })
	if err != nil {
		return false
	}
	c.close()
	return true
}
