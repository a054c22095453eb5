package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// watched are the multicast groups whose messages mean "look again", as bits.
const watched = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1) |
	1<<(unix.RTNLGRP_IPV4_NETCONF-1) | 1<<(unix.RTNLGRP_IPV6_NETCONF-1) // forwarding, of a link or of all

// watchedInRouters are watched beside them where every object counts: rules, and
// qdiscs. In the daemon's own namespace others change theirs all the time.
const watchedInRouters = 1<<(unix.RTNLGRP_IPV4_RULE-1) | 1<<(unix.RTNLGRP_IPV6_RULE-1) | 1<<(unix.RTNLGRP_TC-1)

// Watch calls wake whenever links, addresses, routes or forwarding change, and once when it
// begins to listen, because what changed before went unseen. It returns nil when
// ctx ends. wake must not block; messages are not read, so that one wake may
// stand for many changes and a burst costs little.
func (k *Kernel) Watch(ctx context.Context, wake func()) error {
	s, err := k.subscribe()
	if err != nil {
		return fmt.Errorf("watch links: %w", err)
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	for ctx.Err() == nil {
		wake()
		if err := await(s); err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch links: %w", err)
		}
	}
	return nil
}

// subscribe opens a socket that hears of changes. The runtime's poller waits for
// it, so that closing it ends a wait.
func (k *Kernel) subscribe() (*os.File, error) {
	var s *os.File
	groups := uint32(watched)
	if k.routers() {
		groups |= watchedInRouters
	}
	err := k.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		s = os.NewFile(uintptr(fd), "rtnetlink")
		return unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups})
	})
	if err != nil && s != nil {
		s.Close()
	}
	return s, err
}

// burst bounds how many messages one wake stands for, so that an endless stream
// of changes does not put the wake off for ever.
const burst = 1024

// await returns once there was a message, and none, or a burst, has been read.
// ENOBUFS says that some were lost, which is a change like any other; the socket
// goes on.
func await(s *os.File) error {
	conn, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	var scrap [1]byte // the kernel drops what does not fit
	err = conn.Read(func(fd uintptr) bool {
		for heard := range burst {
			_, err := unix.Read(int(fd), scrap[:])
			switch {
			case errors.Is(err, unix.EAGAIN):
				return heard > 0
			case err != nil && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINTR):
				fault = err
				return true
			}
		}
		return true
	})
	return errors.Join(err, fault)
}
