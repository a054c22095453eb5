package netfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Write writes changes into the tree below root. All files are looked at before the
// first is written: each must be as it was before its change, or as it is to be; so a
// list that was written in part is continued. A file is replaced as a whole, and is on
// the disk when Write returns.
func Write(root string, changes []Change) error {
	var errs []error
	done := make([]bool, len(changes))
	for i, c := range changes {
		var err error
		done[i], err = c.check(root)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, c := range changes {
		if done[i] {
			continue
		}
		if err := c.write(root); err != nil {
			return fmt.Errorf("write %s: %w; the files before it in the list are written: write the list again, or its undoing", c.Path, err)
		}
	}
	return nil
}

// check reports whether a file is already as it is to be, and refuses one that is
// neither that nor what it was.
func (c Change) check(root string) (done bool, err error) {
	if !filepath.IsAbs(c.Path) || filepath.Clean(c.Path) != c.Path {
		return false, fmt.Errorf("write %q: it is not a clean absolute path", c.Path)
	}
	now, err := contentAt(root, c.Path)
	switch {
	case err != nil:
		return false, fmt.Errorf("write %s: %w", c.Path, err)
	case same(now, c.After):
		return !c.Touch, nil
	case same(now, c.Before):
		return false, nil
	}
	what := "it was changed"
	switch {
	case c.Before == nil:
		what = "it has been made"
	case now == nil:
		what = "it was removed"
	}
	return false, fmt.Errorf("write %s: %s since the change was worked out, and would be lost: look at it, and ask for the change again", c.Path, what)
}

// same tells no file from an empty one.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// contentAt reads a file, nil when there is none.
func contentAt(root, path string) ([]byte, error) {
	target, err := resolve(root, path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(target)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	return append([]byte{}, text...), err
}

// resolve follows the symbolic links that a path itself is; an absolute target counts
// from the root.
func resolve(root, path string) (string, error) {
	full := filepath.Join(root, path)
	for range 16 {
		target, err := os.Readlink(full)
		switch {
		case err != nil:
			return full, nil // no link, or nothing there
		case filepath.IsAbs(target) && target != os.DevNull:
			full = filepath.Join(root, target)
		case filepath.IsAbs(target):
			return target, nil
		default:
			full = filepath.Join(filepath.Dir(full), target)
		}
	}
	return "", fmt.Errorf("too many symbolic links")
}

func (c Change) write(root string) error {
	switch {
	case c.After == nil:
		return c.erase(root)
	case c.Touch:
		return c.touch(root)
	}
	if err := makeDirs(filepath.Join(root, filepath.Dir(c.Path))); err != nil {
		return err
	}
	if c.Before == nil && c.Link != "" { // it was a link before it was removed
		full := filepath.Join(root, c.Path)
		if err := os.Symlink(c.Link, full); err != nil {
			return err
		}
		return syncDir(filepath.Dir(full))
	}
	target, err := resolve(root, c.Path)
	if err != nil {
		return err
	}
	return c.replace(target)
}

// touch gives a file a new time.
func (c Change) touch(root string) error {
	target, err := resolve(root, c.Path)
	if err != nil {
		return err
	}
	return os.Chtimes(target, time.Time{}, time.Now())
}

// makeDirs makes a directory and those above it that are missing, also one that was there
// and went with a file of another list.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// erase removes a file, and the directories that were made with it when they are
// empty.
func (c Change) erase(root string) error {
	full := filepath.Join(root, c.Path)
	if err := os.Remove(full); err != nil {
		return err
	}
	last := filepath.Dir(full)
	for _, d := range slices.Backward(c.Dirs) {
		if os.Remove(filepath.Join(root, d)) != nil {
			break // others have files in there
		}
		last = filepath.Dir(filepath.Join(root, d))
	}
	return syncDir(last)
}

// replace puts a new file in the place of another, with its owner and labels. The file
// on the way has a name that no manager reads, always the same one: what a crash leaves
// is used up the next time.
func (c Change) replace(target string) error {
	dir := filepath.Dir(target)
	name := filepath.Join(dir, "."+strings.TrimPrefix(filepath.Base(target), ".")+".kvmnet~")
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // in vain once it is renamed
	_, err = f.Write(c.After)
	err = errors.Join(err, c.dress(f, target), f.Chmod(c.Mode.Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), target)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// dress gives a file the owner of the one it replaces or that was there, and its label.
func (c Change) dress(f *os.File, target string) error {
	uid, gid := c.UID, c.GID
	var now unix.Stat_t
	if unix.Stat(target, &now) == nil {
		uid, gid = int(now.Uid), int(now.Gid)
	}
	label := make([]byte, 1024)
	if n, err := unix.Getxattr(target, "security.selinux", label); err == nil {
		if err := unix.Fsetxattr(int(f.Fd()), "security.selinux", label[:n], 0); err != nil {
			return fmt.Errorf("keep the SELinux label: %w", err)
		}
	}
	if uid == os.Getuid() && gid == os.Getgid() {
		return nil
	}
	return f.Chown(uid, gid)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
