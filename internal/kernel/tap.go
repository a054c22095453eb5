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

// tapFlags are what QEMU, Firecracker and Cloud Hypervisor open a tap with:
// frames without a prefix but with virtio's header, one queue. The tap must be
// new: without IFF_TUN_EXCL we would attach to somebody else's.
const tapFlags = unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR | unix.IFF_TUN_EXCL

// addTap makes a tap. It is finished while only our descriptor keeps it, and
// made to stay last: whatever stops us before leaves no tap behind.
func (a *applier) addTap(l plan.Link) error {
	owner, err := tapOwner(l)
	if err != nil {
		return err
	}
	tun, err := a.openTap(l.Name)
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

// openTap makes a tap that lasts as long as the descriptor. Its namespace is
// that of the thread which opens the device.
func (a *applier) openTap(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return -1, fmt.Errorf("name tap: %w", err)
	}
	ifr.SetUint16(tapFlags)
	tun := -1
	err = a.k.ns.Do(func() error {
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
