package hostnet

import (
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
)

// cables tells how the cables of an interface and of its ports are.
func (h *Host) cables(i spec.HostInterface) (map[string]libvirtxml.InterfaceLink, error) {
	r, err := h.rtnetlink()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	links := map[string]libvirtxml.InterfaceLink{}
	for _, name := range i.Names() {
		l, err := r.LinkByName(name)
		if err != nil {
			continue // it is gone meanwhile
		}
		links[name] = libvirtxml.InterfaceLink{State: operState(l.Attrs().OperState), Speed: h.speed(name)}
	}
	return links, nil
}

func (h *Host) rtnetlink() (*netlink.Handle, error) {
	r, err := netlink.NewHandleAt(vns.NsHandle(h.NS.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink: %w", err)
	}
	return r, nil
}

// guestsOn lists the taps that are ports of a bridge.
func (h *Host) guestsOn(name string) (taps []string, err error) {
	r, err := h.rtnetlink()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	bridge, err := r.LinkByName(name)
	if err != nil {
		return nil, nil // there is none, and nobody on it
	}
	all, err := r.LinkList()
	for _, l := range all {
		if l.Attrs().MasterIndex == bridge.Attrs().Index && l.Type() == "tuntap" {
			taps = append(taps, l.Attrs().Name)
		}
	}
	return taps, err
}

// operState is libvirt's word for a state, the kernel's without what libvirt has no
// word for.
func operState(s netlink.LinkOperState) string {
	return map[netlink.LinkOperState]string{netlink.OperUnknown: "unknown", netlink.OperNotPresent: "notpresent", netlink.OperDown: "down",
		netlink.OperLowerLayerDown: "lowerlayerdown", netlink.OperTesting: "testing", netlink.OperDormant: "dormant", netlink.OperUp: "up"}[s]
}

// ethtoolCmd is struct ethtool_cmd of linux/ethtool.h, which every driver that has a
// speed fills in.
type ethtoolCmd struct {
	cmd, supported, advertising uint32
	speed                       uint16
	_                           [6]byte // duplex, port, addresses and the like
	_                           [2]uint32
	speedHigh                   uint16
	_                           [2]byte
	_                           [3]uint32
}

// speed is how fast a cable is, in megabits a second; 0 when nobody knows.
func (h *Host) speed(name string) int {
	const get = 1 // ETHTOOL_GSET
	c := ethtoolCmd{cmd: get}
	q := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // of the union of struct ifreq
	}{data: unsafe.Pointer(&c)}
	copy(q.name[:unix.IFNAMSIZ-1], name)
	err := h.NS.Do(func() error {
		s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(s)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&q))); errno != 0 {
			return errno
		}
		return nil
	})
	speed := int(c.speedHigh)<<16 | int(c.speed)
	if err != nil || speed == 0xffff || speed >= 1<<31-1 || c.speedHigh == 0xffff {
		return 0
	}
	return speed
}
