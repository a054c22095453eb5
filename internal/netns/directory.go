package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Directory is where named namespaces are kept: each is bound to a file below it,
// as ip-netns(8) does it in Dir.
type Directory string

// Entry is a name in a Directory and the namespace that is bound to it now.
type Entry struct {
	Name string
	ID   uint64 // as NS.ID tells it
}

// ErrNotBound says that a file is there and no network namespace on it.
var ErrNotBound = errors.New("no network namespace is bound there")

// List returns the names to which something is bound, sorted. It opens none of
// them. A directory that is not there is empty.
func (d Directory) List() ([]Entry, error) {
	files, err := os.ReadDir(string(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var list []Entry
	for _, f := range files {
		if e, bound := d.Find(f.Name()); bound {
			list = append(list, e)
		}
	}
	return list, nil
}

// Find looks up one name. It does not open it.
func (d Directory) Find(name string) (e Entry, bound bool) {
	var st unix.Stat_t
	if checkName(name) != nil || unix.Stat(d.path(name), &st) != nil || st.Dev != device() {
		return Entry{}, false
	}
	return Entry{name, st.Ino}, true
}

// device is the number of the file system that all namespaces are on.
var device = sync.OnceValue(func() uint64 {
	var st unix.Stat_t
	if unix.Stat("/proc/self/ns/net", &st) != nil {
		return 0
	}
	return st.Dev
})

// Open opens a named namespace. The error is ErrNotBound when something else has
// the name.
func (d Directory) Open(name string) (*NS, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	ns, err := Open(d.path(name))
	if err != nil {
		return nil, err
	}
	ns.name = name
	if kind, err := unix.IoctlRetInt(ns.Fd(), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		ns.Close()
		return nil, fmt.Errorf("open network namespace %s: %w", d.path(name), ErrNotBound)
	}
	return ns, nil
}

// Create makes a namespace, lets prepare see it while it has no name, and binds
// it. What ends us before the last step leaves no namespace behind, only perhaps
// an empty file; one that is found is used. A name that is taken is
// fs.ErrExist.
func (d Directory) Create(name string, prepare func(*NS) error) (*NS, error) {
	ns, err := d.create(name, prepare)
	if err != nil {
		return nil, fmt.Errorf("create network namespace %s: %w", name, err)
	}
	return ns, nil
}

func (d Directory) create(name string, prepare func(*NS) error) (*NS, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := d.reserve(name); err != nil {
		return nil, err
	}
	ns, err := New()
	if err != nil {
		return nil, err
	}
	ns.name = name
	if err = prepare(ns); err == nil {
		err = d.bind(ns, name)
	}
	if err != nil {
		ns.Close()
		return nil, err
	}
	return ns, nil
}

// reserve makes the empty file to which a namespace is bound, if it is not there.
func (d Directory) reserve(name string) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	if err := d.share(); err != nil {
		return err
	}
	f, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > 0 || isNamespace(f) {
		return fmt.Errorf("%s: %w", d.path(name), fs.ErrExist)
	}
	return nil
}

func isNamespace(f *os.File) bool {
	_, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	return err == nil
}

// share makes Dir a mount of its own that other mount namespaces follow, as
// ip-netns(8) does before it makes its first namespace. If it came after us it
// would cover our names with copies, and what lies below could not be taken away.
func (d Directory) share() error {
	if filepath.Clean(string(d)) != Dir {
		return nil
	}
	err := unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(Dir, Dir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", Dir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

func (d Directory) bind(ns *NS, name string) error {
	return unix.Mount(fmt.Sprintf("/proc/self/fd/%d", ns.Fd()), d.path(name), "none", unix.MS_BIND, "")
}

// Delete takes the name away; the kernel ends the namespace when nothing uses it
// any more. A name that is not there is not an error, one that is no namespace is
// ErrNotBound.
func (d Directory) Delete(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	path := d.path(name)
	unbound := 0
	for ; unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) == nil; unbound++ {
	}
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil && unbound == 0 && (!st.Mode().IsRegular() || st.Size() > 0):
		err = ErrNotBound
	case err == nil:
		err = os.Remove(path)
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("delete network namespace %s: %w", path, err)
}

func (d Directory) path(name string) string { return filepath.Join(string(d), name) }

// checkName keeps a name from leading out of the directory.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q cannot be the name of a network namespace", name)
	}
	return nil
}
