package netfiles

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxFile is more than any file of a network manager has.
const maxFile = 1 << 20

// folders are read whole, with what is in the folders below as deep as the number says.
var folders = map[string]int{
	"/etc/systemd/network": 1, "/run/systemd/network": 1, "/usr/local/lib/systemd/network": 1, "/usr/lib/systemd/network": 1, "/lib/systemd/network": 1,
	"/etc/netplan": 0, "/run/netplan": 0, "/usr/lib/netplan": 0, "/lib/netplan": 0,
	"/etc/NetworkManager": 0, "/etc/NetworkManager/conf.d": 0, "/etc/NetworkManager/system-connections": 0,
	"/run/NetworkManager/conf.d": 0, "/run/NetworkManager/system-connections": 0, "/run/NetworkManager/devices": 0,
	"/usr/lib/NetworkManager/conf.d": 0, "/usr/lib/NetworkManager/system-connections": 0,
	"/etc/network/interfaces.d": 1, "/etc/sysconfig/network-scripts": 0, "/etc/sysconfig/network": 0,
	"/etc/cloud/cloud.cfg.d": 0,
}

// single files that are read.
var singles = []string{"/etc/network/interfaces", "/etc/machine-id", "/etc/dhcpcd.conf", "/etc/sysconfig/network"}

// looked are paths that are only looked for: they tell which programs are installed and
// which units are enabled.
var looked = []string{
	"/sbin/ifup", "/usr/sbin/ifup", "/usr/share/ifupdown2", "/lib/bridge-utils/ifupdown.sh", "/usr/lib/bridge-utils/ifupdown.sh",
	"/usr/sbin/netplan", "/usr/libexec/netplan/generate", "/usr/lib/netplan/generate", "/lib/netplan/generate",
	"/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/etc/systemd/system/dbus-org.freedesktop.network1.service",
	"/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
	"/etc/init.d/network", "/usr/sbin/NetworkManager", "/usr/sbin/wickedd", "/usr/sbin/connmand", "/usr/sbin/dhcpcd", "/sbin/dhcpcd",
}

// Read reads what network managers read, below a root. Kvmnet's own definitions are in
// a folder there; "" = OwnDir.
func Read(root, own string) (Tree, error) {
	r := reader{root, Tree{Own: own, Files: map[string]*File{}, Dirs: map[string]bool{}, Present: map[string]bool{}, Links: map[string]Link{}}, nil}
	for dir, depth := range folders {
		r.folder(dir, depth)
	}
	r.folder(r.tree.ownDir(), 0)
	for _, p := range singles {
		r.file(p)
	}
	for _, p := range looked {
		if _, err := os.Lstat(filepath.Join(root, p)); err == nil {
			r.tree.Present[p] = true
		}
	}
	r.sourced("/etc/network/interfaces")
	r.links()
	return r.tree, errors.Join(r.errs...)
}

// reader gathers a tree, and what cannot be read.
type reader struct {
	root string
	tree Tree
	errs []error
}

func (r *reader) fail(p string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) {
		r.errs = append(r.errs, fmt.Errorf("read %s: %w", p, errors.Unwrap(err)))
	}
}

// folder reads the files of a folder. Those above are noted as there, too.
func (r *reader) folder(dir string, depth int) {
	for d := dir; d != "/"; d = path.Dir(d) {
		if info, err := os.Stat(filepath.Join(r.root, d)); err == nil && info.IsDir() {
			r.tree.Dirs[d] = true
		}
	}
	entries, err := os.ReadDir(filepath.Join(r.root, dir))
	r.fail(dir, err)
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		info, err := os.Stat(filepath.Join(r.root, p))
		switch {
		case err != nil && e.Type()&fs.ModeSymlink == 0:
			r.fail(p, err)
		case err == nil && info.IsDir() && depth > 0:
			r.folder(p, depth-1)
		case err != nil || info.Mode().IsRegular() || e.Type()&fs.ModeSymlink != 0:
			r.file(p)
		}
	}
}

// file reads one file, through the links that it is.
func (r *reader) file(p string) {
	full := filepath.Join(r.root, p)
	link, _ := os.Readlink(full)
	target, err := resolve(r.root, p)
	if err != nil {
		r.fail(p, &fs.PathError{Op: "read", Path: p, Err: err})
		return
	}
	info, err := os.Stat(target)
	if err != nil || info.IsDir() {
		r.fail(p, err) // a link that leads nowhere is no file
		return
	}
	if info.Size() > maxFile {
		r.errs = append(r.errs, fmt.Errorf("read %s: it has more than %d bytes", p, maxFile))
		return
	}
	text, err := os.ReadFile(target)
	if err != nil {
		r.fail(p, err)
		return
	}
	f := &File{Text: text, Mode: info.Mode().Perm(), Link: link}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.UID, f.GID = int(st.Uid), int(st.Gid)
	}
	r.tree.Files[p] = f
}

// sourced reads the files that one of ifupdown names, and those that they name.
func (r *reader) sourced(p string) {
	for _, pattern := range sources(p, r.tree.text(p)) {
		found, _ := filepath.Glob(filepath.Join(r.root, pattern))
		for _, full := range found {
			rel, err := filepath.Rel(filepath.Clean("/"+r.root), full)
			if r.root == "" || r.root == "/" {
				rel, err = full[1:], nil
			}
			q := "/" + rel
			if info, bad := os.Stat(full); err != nil || bad != nil || !info.Mode().IsRegular() {
				continue
			}
			if r.tree.Files[q] == nil {
				r.file(q)
				r.sourced(q)
			}
		}
	}
}
