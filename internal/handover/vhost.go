package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// vhostDevice moves the packets of a tap in the kernel. Opened, it belongs to nobody
// until a VMM takes it for its own.
const vhostDevice = "/dev/vhost-net"

// openVhosts opens the device once for each queue. Where the host has none there are
// none, and no error: a tap works without.
func openVhosts(device string, queues int) (files []*os.File, err error) {
	for range queues {
		fd, err := unix.Open(device, unix.O_RDWR|unix.O_CLOEXEC, 0)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ENODEV) {
			return nil, nil
		}
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("open %s: %w", device, err)
		}
		files = append(files, os.NewFile(uintptr(fd), device))
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
