package lease

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"kvmnet/internal/lockdir"
)

// disk is a directory with what the book needs of it. Tests have one that stops
// at any of these calls.
type disk interface {
	read(name string) ([]byte, error)   // fs.ErrNotExist when there is no such file
	create(name string) (file, error)   // empty, in place of another of that name
	appendTo(name string) (file, error) // created when it is not there
	rename(from, to string) error       // in place of another of that name
	remove(name string) error           // nil when there is no such file
	sync() error                        // the names are on disk
	close() error
}

// file is a file that is written from front to end.
type file interface {
	io.WriteCloser
	Sync() error // the bytes written are on disk
}

// dir is a real directory, locked.
type dir struct {
	path string
	fd   *os.File
}

// openDir creates the directory if there is none, and locks it against a second
// book.
func openDir(path string) (disk, error) {
	fd, err := lockdir.Open(path, 0o755)
	if errors.Is(err, lockdir.ErrBusy) {
		err = fmt.Errorf("%w; stop it first", err)
	}
	if err != nil {
		return nil, fmt.Errorf("open lease directory: %w", err)
	}
	return &dir{path, fd}, nil
}

func (d *dir) name(name string) string { return filepath.Join(d.path, name) }

func (d *dir) read(name string) ([]byte, error) { return os.ReadFile(d.name(name)) }

func (d *dir) create(name string) (file, error) {
	return d.open(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC)
}

func (d *dir) appendTo(name string) (file, error) {
	return d.open(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND)
}

// open opens a file that only its owner may read: who has which address is
// nobody else's business.
func (d *dir) open(name string, flags int) (file, error) {
	f, err := os.OpenFile(d.name(name), flags, 0o600)
	if err != nil {
		return nil, err
	}
	return dataFile{f}, nil
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

func (w watched) create(name string) (file, error) {
	w.before()
	return w.watch(w.disk.create(name))
}

func (w watched) appendTo(name string) (file, error) {
	w.before()
	return w.watch(w.disk.appendTo(name))
}

func (w watched) watch(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return watchedFile{f, w.before}, nil
}

func (w watched) rename(from, to string) error {
	w.before()
	return w.disk.rename(from, to)
}

func (w watched) sync() error {
	w.before()
	return w.disk.sync()
}

type watchedFile struct {
	file
	before func()
}

func (f watchedFile) Write(b []byte) (int, error) {
	f.before()
	return f.file.Write(b)
}

func (f watchedFile) Sync() error {
	f.before()
	return f.file.Sync()
}

// dataFile syncs by fdatasync(2), which leaves the times alone and writes the
// size when it has changed.
type dataFile struct{ *os.File }

func (f dataFile) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
