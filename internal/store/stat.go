package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// stat is by what we see that a file is not the one that was parsed: an editor makes
// a new file, or changes its size or times.
type stat struct {
	dev, ino         uint64
	size             int64
	written, touched unix.Timespec
}

func newStat(s *unix.Stat_t) stat { return stat{uint64(s.Dev), s.Ino, s.Size, s.Mtim, s.Ctim} }

func (s stat) sameFile(other stat) bool { return s.dev == other.dev && s.ino == other.ino }

func statOf(fd int) (stat, error) {
	var s unix.Stat_t
	err := unix.Fstat(fd, &s)
	return newStat(&s), err
}

func statPath(path string) (stat, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return stat{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return newStat(&s), nil
}

// statAt follows a symbolic link, and tells whether the file may be changed by
// another name than this one.
func statAt(dir int, name string) (_ stat, linked bool, err error) {
	var s unix.Stat_t
	err = unix.Fstatat(dir, name, &s, unix.AT_SYMLINK_NOFOLLOW)
	linked = s.Nlink > 1
	if err == nil && s.Mode&unix.S_IFMT == unix.S_IFLNK {
		linked = true
		err = unix.Fstatat(dir, name, &s, 0)
	}
	return newStat(&s), linked, err
}

func gone(err error) bool { return errors.Is(err, unix.ENOENT) }
