package hostlink

import (
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inSocket calls what needs a socket of the thread's namespace.
func inSocket(call func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return call(fd)
}

// ifreq is struct ifreq: a name, and a union that begins with a number or a pointer.
type ifreq struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func ioctl(fd int, request uintptr, r *ifreq) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(r))); errno != 0 {
		return errno
	}
	return nil
}

// addMulticast is SIOCADDMULTI: the union is a struct sockaddr, whose first two bytes
// are its family, AF_UNSPEC, and the next the address.
func addMulticast(dev string, mac net.HardwareAddr) error {
	return multicast(unix.SIOCADDMULTI, dev, mac)
}

// deleteMulticast is SIOCDELMULTI.
func deleteMulticast(dev string, mac net.HardwareAddr) error {
	return multicast(unix.SIOCDELMULTI, dev, mac)
}

func multicast(request uintptr, dev string, mac net.HardwareAddr) error {
	var r ifreq
	copy(r.name[:unix.IFNAMSIZ-1], dev)
	copy(r.data[2:], mac)
	return inSocket(func(fd int) error { return ioctl(fd, request, &r) })
}

// Of ethtool (linux/ethtool.h).
const (
	getFlags = 0x25    // ETHTOOL_GFLAGS
	setFlags = 0x26    // ETHTOOL_SFLAGS
	flagLRO  = 1 << 15 // ETH_FLAG_LRO
)

// ethtool asks a driver with struct ethtool_value.
func ethtool(dev string, command, value uint32) (uint32, error) {
	v := &[2]uint32{command, value}
	var r struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		rest [16]byte
	}
	copy(r.name[:unix.IFNAMSIZ-1], dev)
	r.data = unsafe.Pointer(v)
	err := inSocket(func(fd int) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r))); errno != 0 {
			return errno
		}
		return nil
	})
	return v[1], err
}

// largeReceive says whether the NIC joins packets. A driver that does not answer does
// not.
func largeReceive(dev string) bool {
	flags, err := ethtool(dev, getFlags, 0)
	return err == nil && flags&flagLRO != 0
}

// joinPackets switches large receive offload on: the kernel switched it off when the
// NIC became a port.
type joinPackets struct{ dev string }

func (j joinPackets) String() string { return "ethtool -K " + j.dev + " lro on" }

func (j joinPackets) do() error {
	flags, err := ethtool(j.dev, getFlags, 0)
	if err == nil {
		_, err = ethtool(j.dev, setFlags, flags|flagLRO)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", j, err)
	}
	return nil
}
