package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// ListenTCP opens a listener on an address, which the host need not have yet.
// When somebody else has the port, the error is a *TakenError.
func ListenTCP(ns *netns.NS, addr netip.AddrPort) (net.Listener, error) {
	config := net.ListenConfig{Control: freebind}
	var l net.Listener
	err := ns.Do(func() (err error) {
		l, err = config.Listen(context.Background(), "tcp", addr.String())
		return err
	})
	if err != nil {
		err = taken(err, ns, "tcp", addr.Addr().String(), addr, 0)
		return nil, fmt.Errorf("listen on tcp %s: %w", addr, err)
	}
	return l, nil
}

func freebind(network, _ string, c syscall.RawConn) error {
	o := option{"IP_FREEBIND", unix.SOL_IP, unix.IP_FREEBIND, 1}
	if network == "tcp6" {
		o = option{"IPV6_FREEBIND", unix.SOL_IPV6, unix.IPV6_FREEBIND, 1}
	}
	var err error
	if lost := c.Control(func(fd uintptr) { err = set(int(fd), o) }); lost != nil {
		return lost
	}
	return err
}
