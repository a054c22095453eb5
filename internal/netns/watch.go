package netns

import (
	"context"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Watch calls wake when namespaces of the directory come or go, by whomever, and
// once when it begins to listen. It returns nil when ctx ends. wake must not
// block.
//
// The kernel tells of every change of the mount table, but not of which: an
// unmount without removing the file, which inotify(7) does not see, counts too.
func (d Directory) Watch(ctx context.Context, wake func()) error {
	mounts, err := os.OpenFile("/proc/self/mountinfo", os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("watch network namespaces: %w", err)
	}
	defer mounts.Close()
	defer context.AfterFunc(ctx, func() { mounts.Close() })()
	wake()
	if err := d.compare(mounts, wake); err != nil && ctx.Err() == nil {
		return fmt.Errorf("watch network namespaces: %w", err)
	}
	return nil
}

// compare looks at the directory after each change of the mount table.
func (d Directory) compare(mounts *os.File, wake func()) error {
	conn, err := mounts.SyscallConn()
	if err != nil {
		return err
	}
	last, fault := d.List()
	if fault != nil {
		return fault
	}
	err = conn.Read(func(uintptr) bool {
		var now []Entry
		if now, fault = d.List(); fault != nil {
			return true
		}
		if !slices.Equal(now, last) {
			last = now
			wake()
		}
		return false // wait for the next change
	})
	if fault != nil {
		return fault
	}
	return err
}
