package verify

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/testhost"
)

// sender sends frames from a guest's interface past its IP stack. It keeps its
// socket: closing a packet socket waits for every processor (synchronize_net),
// which costs more than all the probes of a network.
type sender int

func openSender(ns *netns.NS) (sender, error) {
	fd := -1
	err := ns.Do(func() error {
		link, err := net.InterfaceByName(nic)
		if err != nil {
			return fmt.Errorf("find %s: %w", nic, err)
		}
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return fmt.Errorf("open socket: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
			unix.Close(fd)
			return fmt.Errorf("bind to %s: %w", nic, err)
		}
		return nil
	})
	return sender(fd), err
}

// send sends a packet whose Ethernet addresses are filled in. A veth never makes
// anybody wait; what does not fit is lost, as on any wire, and sent again.
func (s sender) send(p testhost.Packet) error {
	frame, err := p.Frame()
	if err != nil {
		return err
	}
	if _, err := unix.Write(int(s), frame); err != nil && err != unix.EAGAIN && err != unix.ENOBUFS {
		return fmt.Errorf("send to %s: %w", p.Dst, err)
	}
	return nil
}

func (s sender) Close() error { return unix.Close(int(s)) }
