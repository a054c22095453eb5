package kernel

import (
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Tap is a tap that lasts no longer than somebody has it open.
type Tap struct {
	Name   string
	MAC    spec.MAC // of the guest; zero = it has one of its own
	MTU    int      // 0 = the kernel's
	Owner  int      // user who may open further queues
	Queues int      // 0 = 1
	Plain  bool     // frames without virtio's header
}

// OpenTap makes a tap and returns the descriptors of its queues. It is not marked as
// ours: whoever gets the descriptors decides how long it lives. It is down, and was
// never up, so that the host neither sends nor hears anything on it before the bridge
// has it.
func (k *Kernel) OpenTap(t Tap) ([]*os.File, error) {
	flags := tapFlags(t.Queues, t.Plain)
	first, err := k.openQueue(t.Name, flags|unix.IFF_TUN_EXCL)
	if err != nil {
		return nil, fmt.Errorf("open tap %s: %w", t.Name, err)
	}
	queues := []*os.File{os.NewFile(uintptr(first), tunDevice)}
	if err = k.furnish(first, t); err == nil {
		for err == nil && len(queues) < t.Queues {
			var next int
			if next, err = k.openQueue(t.Name, flags); err == nil {
				queues = append(queues, os.NewFile(uintptr(next), tunDevice))
			}
		}
	}
	if err != nil {
		for _, q := range queues {
			q.Close()
		}
		return nil, fmt.Errorf("open tap %s: %w", t.Name, err)
	}
	return queues, nil
}

// furnish gives a new tap its owner, address and MTU.
func (k *Kernel) furnish(tun int, t Tap) error {
	if err := unix.IoctlSetInt(tun, unix.TUNSETOWNER, t.Owner); err != nil {
		return fmt.Errorf("set owner %d: %w", t.Owner, err)
	}
	have, err := k.device(t.Name)
	if err != nil {
		return err
	}
	l := plan.Link{Name: t.Name, Type: "tap", MAC: t.MAC, MTU: t.MTU}
	if l.MAC.IsZero() {
		l.MAC = spec.MAC(have.mac)
	}
	mac := hostMAC(l)
	a := applier{k: k, indexes: map[string]int{}}
	data := []nl.NetlinkRequestData{attr(unix.IFLA_ADDRESS, mac[:])}
	if err := a.modify(have.index, append(data, mtuAttr(t.MTU)...)); err != nil {
		return err
	}
	quiet := plan.Sysctl{Family: "ipv6", Link: t.Name, Name: "disable_ipv6", Value: "1"}
	return unlessGone(k.ns.Do(func() error { return writeSysctl(quiet) }), os.ErrNotExist) // as without IPv6
}
