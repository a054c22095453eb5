package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// replace writes a file so that a reader or a crash sees the old content or the
// new, never a part of one.
func replace(path string, data []byte) error {
	b := newBatch()
	b.put(path, data)
	return b.commit()
}

// half writes a new file beside the one it is to replace, durably, and returns its
// name.
func half(path string, data []byte) (string, error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), temporary+"*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	if err := fill(tmp, data); err != nil {
		return tmp.Name(), fmt.Errorf("write %s: %w", path, err)
	}
	return tmp.Name(), nil
}

// temporary is how the names of new files begin until they are whole.
const temporary = ".new-"

func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
}

// sweep removes the new files that a crash left behind.
func sweep(dir string) error {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), temporary) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

// remove deletes a file durably; one that is not there is not an error.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames and deletions in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
