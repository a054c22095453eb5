package hostlink

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// addMulticast is SIOCADDMULTI: struct ifreq with a struct sockaddr whose first two
// bytes are its family, AF_UNSPEC, and the next the address.
func addMulticast(fd int, dev string, mac net.HardwareAddr) error {
	var ifreq [40]byte
	copy(ifreq[:unix.IFNAMSIZ-1], dev)
	copy(ifreq[unix.IFNAMSIZ+2:], mac)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCADDMULTI, uintptr(unsafe.Pointer(&ifreq)))
	if errno != 0 {
		return errno
	}
	return nil
}
