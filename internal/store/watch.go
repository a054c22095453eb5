package store

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// watch hears of changes in directories from inotify(7), so that a read need not ask
// for the times of thousands of files. The kernel queues what happened before the
// call that did it returns: who asks afterwards hears of it.
type watch struct {
	file *os.File // closed when nobody has it any more
	dirs map[int32]*heard
}

// heard is what a watch heard of a directory.
type heard struct {
	wd    int32
	names map[string]bool // of files that came, went or changed
	more  bool            // than these may have changed
}

const events = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MODIFY |
	unix.IN_CLOSE_WRITE | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// openWatch returns nil when the kernel has no more watches to give: then every
// read looks at every file.
func openWatch() *watch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	return &watch{os.NewFile(uintptr(fd), "inotify"), map[int32]*heard{}}
}

// locals are the types of file systems where everybody who changes something does
// so by this kernel.
var locals = []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
	unix.TMPFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC}

// add begins to watch a directory, nil when that cannot be done.
func (w *watch) add(dir string) *heard {
	var fs unix.Statfs_t
	if w == nil || unix.Statfs(dir, &fs) != nil || !slices.Contains(locals, int64(fs.Type)) {
		return nil
	}
	wd := -1
	w.control(func(fd int) { wd, _ = unix.InotifyAddWatch(fd, dir, events) })
	if wd < 0 {
		return nil
	}
	h := &heard{wd: int32(wd), names: map[string]bool{}}
	w.dirs[h.wd] = h
	return h
}

// remove ends a watch; one that ended by itself is no error.
func (w *watch) remove(h *heard) {
	if h != nil && w.dirs[h.wd] == h {
		delete(w.dirs, h.wd)
		w.control(func(fd int) { unix.InotifyRmWatch(fd, uint32(h.wd)) })
	}
}

// listen takes in what happened since the last time.
func (w *watch) listen() {
	if w == nil {
		return
	}
	buf := make([]byte, 64<<10)
	for {
		n := 0
		w.control(func(fd int) { n, _ = unix.Read(fd, buf) })
		if n <= 0 { // nothing more, for now
			return
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			rest = w.event(rest)
		}
	}
}

// event takes in the first event and returns those behind it.
func (w *watch) event(b []byte) (rest []byte) {
	wd, mask := int32(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint32(b[4:])
	end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
	name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
	switch h := w.dirs[wd]; {
	case mask&unix.IN_Q_OVERFLOW != 0:
		for _, h := range w.dirs {
			h.more = true
		}
	case h == nil: // of a watch that was removed
	case len(name) == 0:
		h.more = true
	default:
		h.names[string(name)] = true
	}
	return b[end:]
}

func (w *watch) control(do func(fd int)) {
	c, err := w.file.SyscallConn()
	if err == nil {
		c.Control(func(fd uintptr) { do(int(fd)) })
	}
}
