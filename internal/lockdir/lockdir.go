package lockdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy is that another process has the directory.
var ErrBusy = errors.New("another process has it open")

// patience is how long a lock may be held by nobody: a child of a process that was
// killed has it until it runs its program.
const patience = time.Second

// Open makes the directory if there is none, durably, and locks it. The mode is that
// of a new one; those above it get 0755. A directory that another process has is
// ErrBusy.
func Open(path string, mode fs.FileMode) (*os.File, error) {
	if err := create(path, mode); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	fd, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lock(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), fd.Close())
	}
	return fd, nil
}

// create makes a directory and those above it that are missing, so that they last: a
// directory is on disk when the one above is synced.
func create(path string, mode fs.FileMode) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if err := create(above, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	fd, err := os.Open(above)
	if err != nil {
		return err
	}
	return errors.Join(fd.Sync(), fd.Close())
}

func lock(fd *os.File) error {
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(int(fd.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case !errors.Is(err, unix.EWOULDBLOCK):
			return err
		case time.Since(begin) > patience:
			return ErrBusy
		}
	}
}
