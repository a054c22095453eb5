package confirm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a directory with what the journal needs of it. Tests have one that fails,
// or stops, at any of these calls.
type disk interface {
	list() ([]string, error)
	read(name string) ([]byte, error)     // fs.ErrNotExist when there is no such file
	write(name string, data []byte) error // a new file, whose content is on disk
	rename(from, to string) error         // in place of another of that name
	remove(name string) error             // nil when there is no such file
	sync() error                          // the names are on disk
	close() error
}

// dir is a real directory, locked.
type dir struct {
	path string
	fd   *os.File
}

// openDir creates the directory if there is none, and locks it against a second
// journal. The kernel drops the lock when the process ends, however it does.
func openDir(path string) (disk, error) {
	if err := makeDir(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the directory of the journal of changes: %w", err)
	}
	fd, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the directory of the journal of changes: %w", err)
	}
	if err = lock(fd); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), fd.Close())
	}
	return &dir{path, fd}, nil
}

// patience is how long a lock may be held by nobody: a child of a process that was
// killed has it until it runs its program.
const patience = time.Second

// lock waits for the lock that long.
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

// ErrBusy is that another process has the journal.
var ErrBusy = errors.New("another process has the journal of changes open: the daemon runs, and ends them itself")

// makeDir creates a directory and those above it that are missing, so that they
// last: a directory is on disk when the one above is synced.
func makeDir(path string, mode os.FileMode) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if err := makeDir(above, 0o755); err != nil {
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

func (d *dir) name(name string) string { return filepath.Join(d.path, name) }

func (d *dir) list() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d *dir) read(name string) ([]byte, error) { return os.ReadFile(d.name(name)) }

// write makes files that only root may read: configuration has passwords of Wi-Fi.
func (d *dir) write(name string, data []byte) error {
	f, err := os.OpenFile(d.name(name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d *dir) rename(from, to string) error { return os.Rename(d.name(from), d.name(to)) }

func (d *dir) remove(name string) error {
	if err := os.Remove(d.name(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (d *dir) sync() error { return d.fd.Sync() }

func (d *dir) close() error { return d.fd.Close() }

// watched tells before each operation that changes what is on disk.
type watched struct {
	disk
	before func()
}

func (w watched) write(name string, data []byte) error {
	w.before()
	return w.disk.write(name, data)
}

func (w watched) rename(from, to string) error {
	w.before()
	return w.disk.rename(from, to)
}

func (w watched) remove(name string) error {
	w.before()
	return w.disk.remove(name)
}

func (w watched) sync() error {
	w.before()
	return w.disk.sync()
}
