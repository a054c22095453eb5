package kernel

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// tunDevice is where taps are made.
const tunDevice = "/dev/net/tun"

// tapFlags are what QEMU, Firecracker and Cloud Hypervisor open a tap with: frames
// without a prefix. A tap of several queues is opened as such by all, or the kernel
// refuses (EINVAL of tun_set_iff).
func tapFlags(queues int, plain bool) uint16 {
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if !plain {
		flags |= unix.IFF_VNET_HDR
	}
	if queues > 1 {
		flags |= unix.IFF_MULTI_QUEUE
	}
	return flags
}

// addTap makes a tap. It is finished while only our descriptor keeps it, and
// made to stay last: whatever stops us before leaves no tap behind.
func (a *applier) addTap(l plan.Link) error {
	owner, err := tapOwner(l)
	if err != nil {
		return err
	}
	tun, err := a.k.openQueue(l.Name, tapFlags(l.Queues, false)|unix.IFF_TUN_EXCL)
	if errors.Is(err, unix.EBUSY) {
		return a.finish(l, unix.EEXIST)
	}
	if err != nil {
		return err
	}
	defer unix.Close(tun)
	if err := unix.IoctlSetInt(tun, unix.TUNSETOWNER, owner); err != nil {
		return fmt.Errorf("set owner %d: %w", owner, err)
	}
	if err := a.claim(l); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(tun, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("make tap persistent: %w", err)
	}
	return nil
}

// tapOwner is the user who may open the tap. It is always set: a tap without an
// owner can be opened by everybody.
func tapOwner(l plan.Link) (int, error) {
	if l.TapOwner == "" {
		return 0, nil
	}
	uid, err := strconv.ParseUint(l.TapOwner, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("tap owner %q is not a user number", l.TapOwner)
	}
	return int(uid), nil
}

// openQueue opens a queue of a tap. One that is not there is made, and lasts as long
// as the descriptor: with IFF_TUN_EXCL it must be new, or we would attach to somebody
// else's. Its namespace is that of the thread which opens the device.
func (k *Kernel) openQueue(name string, flags uint16) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("name tap: %w", err)
	}
	ifr.SetUint16(flags)
	tun := -1
	err = k.ns.Do(func() error {
		fd, err := unix.Open(tunDevice, os.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open %s: %w", tunDevice, err)
		}
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
			unix.Close(fd)
			return fmt.Errorf("make tap: %w", err)
		}
		tun = fd
		return nil
	})
	return tun, err
}

// claim marks and finishes the tap just made.
func (a *applier) claim(l plan.Link) error {
	have, err := a.k.device(l.Name)
	if err != nil {
		return err
	}
	a.indexes[l.Name] = have.index
	return a.alter(have, l)
}
