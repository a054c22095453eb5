package confirm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kvmnet/internal/lockdir"
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
// journal.
func openDir(path string) (disk, error) {
	fd, err := lockdir.Open(path, 0o700)
	if errors.Is(err, lockdir.ErrBusy) {
		err = fmt.Errorf("%w: the daemon runs, and ends them itself", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the journal of changes: %w", err)
	}
	return &dir{path, fd}, nil
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
