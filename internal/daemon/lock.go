package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// lockName is an abstract socket: such names belong to a network namespace and end
// with the process that holds them.
const lockName = "@kvmnet/daemon"

// lock makes this the only daemon of the network namespace. Anybody may take such
// a name, so only a holder who is the same user is believed to be a daemon; a
// stranger must not keep the daemon from starting.
func lock() (io.Closer, error) {
	l, err := net.Listen("unix", lockName)
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, unix.EADDRINUSE) {
		return nil, fmt.Errorf("lock the network namespace: %w", err)
	}
	holder, err := lockHolder()
	switch {
	case err != nil:
		return nil, fmt.Errorf("a kvmnet daemon seems to manage this network namespace already: %w", err)
	case int(holder.Uid) != os.Geteuid():
		return io.NopCloser(nil), nil
	}
	return nil, fmt.Errorf("a kvmnet daemon already manages this network namespace: process %d; stop it first", holder.Pid)
}

// lockHolder asks the kernel who listens on the name.
func lockHolder() (*unix.Ucred, error) {
	c, err := net.Dial("unix", lockName)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var holder *unix.Ucred
	var fault error
	err = raw.Control(func(fd uintptr) { holder, fault = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return holder, errors.Join(err, fault)
}
