package socket

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// TakenError says that another socket has the port. It is a unix.EADDRINUSE for
// errors.Is.
type TakenError struct {
	Address  string // IP address, or the interface when every address of it is meant
	Port     uint16
	Protocol string // udp or tcp
	PID      int    // 0 = not known
	Command  string // name of the process, "" = not known
}

func (e *TakenError) Error() string {
	who := "another process; `ss -lnp` run as root may name it"
	if e.PID != 0 {
		who = fmt.Sprintf("%s (pid %d)", e.Command, e.PID)
	}
	return fmt.Sprintf("port %d on %s is taken by %s", e.Port, e.Address, who)
}

func (e *TakenError) Unwrap() error { return unix.EADDRINUSE }

// taken makes a TakenError of the refusal to bind to a port, and leaves other
// errors as they are. The index is that of the interface which the socket was
// for, 0 when for all.
func taken(err error, ns *netns.NS, protocol, address string, to netip.AddrPort, index int) error {
	if !errors.Is(err, unix.EADDRINUSE) {
		return err
	}
	e := &TakenError{Address: address, Port: to.Port(), Protocol: protocol}
	e.PID, e.Command, _ = holder(ns, protocol, to, index)
	return e
}

// holder finds the process that listens to a port on an address, or on all of
// them, in a namespace. Processes of other users are found with CAP_SYS_PTRACE only.
func holder(ns *netns.NS, protocol string, addr netip.AddrPort, index int) (pid int, command string, ok bool) {
	number := uint8(unix.IPPROTO_UDP)
	if protocol == "tcp" {
		number = unix.IPPROTO_TCP
	}
	bound, err := boundTo(ns, number, addr.Port())
	if err != nil {
		return 0, "", false
	}
	for _, exact := range []bool{true, false} {
		for _, b := range bound {
			if (b.addr == addr.Addr()) == exact && b.excludes(addr.Addr(), index) {
				if pid, command, ok = owner(b.inode); ok {
					return pid, command, true
				}
			}
		}
	}
	return 0, "", false
}

// excludes says whether a bound socket keeps another one from an address. Two
// sockets that are bound to different interfaces do not meet, nor do two
// different addresses; one for all addresses of IPv6 may hold those of IPv4, too.
func (b bound) excludes(a netip.Addr, index int) bool {
	if b.index != 0 && index != 0 && b.index != index {
		return false
	}
	if b.addr.Is4() != a.Is4() {
		return b.addr.Is6() && b.addr.IsUnspecified()
	}
	return b.addr == a.WithZone("") || b.addr.IsUnspecified() || a.IsUnspecified()
}
