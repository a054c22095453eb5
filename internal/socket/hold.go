package socket

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Hold keeps a UDP port on an interface without hearing anything: the kernel then
// does not refuse what a Link answers with an ICMP port unreachable, and no
// second server can take the port unnoticed.
type Hold struct {
	conn  *conn
	index int
}

// groups are what DHCPv6 clients and router solicitations are sent to
// (ff02::1:2, RFC 8415 section 7.1; ff02::2, RFC 4861 section 4.1). A bridge that
// snoops may keep groups that nobody joined from us.
var groups = []netip.Addr{netip.MustParseAddr("ff02::1:2"), netip.MustParseAddr("ff02::2")}

// HoldPort takes a UDP port on every address of an interface; network is udp4 or
// udp6. When somebody else has it, the error is a *TakenError.
func HoldPort(ns *netns.NS, bridge, network string, port uint16) (*Hold, error) {
	h := &Hold{}
	domain, any := unix.AF_INET, netip.IPv4Unspecified()
	if network == "udp6" {
		domain, any = unix.AF_INET6, netip.IPv6Unspecified()
	}
	to := netip.AddrPortFrom(any, port)
	var err error
	h.conn, err = open(ns, domain, unix.SOCK_DGRAM, 0, func(fd int) error { return h.prepare(fd, bridge, to) })
	if err != nil {
		err = taken(err, ns, "udp", bridge, to, h.index)
		return nil, fmt.Errorf("hold port %d on %s: %w", port, bridge, err)
	}
	return h, nil
}

// prepare attaches the filter before the bind, so that nothing is ever queued.
// SO_REUSEADDR stays off: with it, two sockets of UDP share a port.
func (h *Hold) prepare(fd int, bridge string, to netip.AddrPort) (err error) {
	if h.index, err = indexOf(fd, bridge); err != nil {
		return err
	}
	if err := attach(fd, nothing); err != nil {
		return err
	}
	if err := unix.BindToDevice(fd, bridge); err != nil {
		return fmt.Errorf("bind to %s: %w", bridge, err)
	}
	if to.Addr().Is6() {
		if err := set(fd, option{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1}); err != nil {
			return err
		}
	}
	if err := bind(fd, to, 0); err != nil || to.Addr().Is4() {
		return err
	}
	return h.join(fd)
}

func (h *Hold) join(fd int) error {
	for _, g := range groups {
		m := &unix.IPv6Mreq{Multiaddr: g.As16(), Interface: uint32(h.index)}
		if err := unix.SetsockoptIPv6Mreq(fd, unix.SOL_IPV6, unix.IPV6_JOIN_GROUP, m); err != nil {
			return fmt.Errorf("join %s: %w", g, err)
		}
	}
	return nil
}

// Close gives the port back.
func (h *Hold) Close() error { return h.conn.close() }

// bind gives a socket its address and port.
func bind(fd int, to netip.AddrPort, zone int) error {
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16(), ZoneId: uint32(zone)}
	if to.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return fmt.Errorf("bind to %s: %w", to, err)
	}
	return nil
}
