package handover

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
)

// caller is who connected, by the kernel's word: as it was then, whoever has the
// socket now.
func caller(c *net.UnixConn) (who api.Caller, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return who, err
	}
	broken := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		var others []uint32
		if others, err = peerGroups(int(fd)); err != nil {
			return
		}
		who = api.Caller{PID: int(cred.Pid), UID: int(cred.Uid), Groups: []int{int(cred.Gid)}}
		for _, g := range others {
			if !slices.Contains(who.Groups, int(g)) {
				who.Groups = append(who.Groups, int(g))
			}
		}
	})
	if err := errors.Join(broken, err); err != nil {
		return api.Caller{}, fmt.Errorf("ask who connected: %w", err)
	}
	return who, nil
}

// peerGroups are the supplementary groups. The kernel says how many there are when
// the room for them is too small (SO_PEERGROUPS in net/core/sock.c).
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 32)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == unix.ERANGE && int(size/4) > len(groups):
			groups = make([]uint32, size/4)
		case errno != 0:
			return nil, errno
		default:
			return groups[:size/4], nil
		}
	}
}
