package libvirthost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"kvmnet/internal/api"
)

// Where libvirt keeps its networks, below the root of the file system.
const (
	definitions = "etc/libvirt/qemu/networks"
	running     = "run/libvirt/network"
	leases      = "var/lib/libvirt/dnsmasq"
	autostart   = "autostart" // below definitions: a link for each that starts at boot
)

// Limits of what is read: libvirt itself reads no more.
const (
	largestXML    = 10 << 20
	largestLeases = 32 << 20
)

// Files is a libvirt whose files can be read.
type Files struct {
	Definitions, Running, LeaseDir string
	Now                            func() time.Time // nil = time.Now
}

// Root is the libvirt of a file system: "/" for that of this host.
func Root(dir string) Files {
	return Files{Definitions: filepath.Join(dir, definitions), Running: filepath.Join(dir, running), LeaseDir: filepath.Join(dir, leases)}
}

// Copied is what somebody copied: the files of a whole system, as a backup or a
// mounted disk has them, or only definitions, with autostart/ and lease files beside.
func Copied(dir string) Files {
	if root := Root(dir); isDir(root.Definitions) {
		return root
	}
	return Files{Definitions: dir, LeaseDir: dir}
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}

// Networks implements Source. Every file that cannot be read is told, and the others
// are there.
func (f Files) Networks(context.Context) ([]Network, error) {
	entries, err := os.ReadDir(f.Definitions)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w; is libvirt installed here? name the folder of a copy with --from, or ask virsh with --virsh", err)
		}
		return nil, fmt.Errorf("look for libvirt's networks: %w", explain(err))
	}
	var list []Network
	var errs []error
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".xml")
		if !is || name == "" || e.IsDir() {
			continue
		}
		n, err := f.network(name)
		if err == nil {
			list = append(list, n)
		}
		errs = append(errs, err)
	}
	return list, errors.Join(errs...)
}

func (f Files) network(name string) (Network, error) {
	path := filepath.Join(f.Definitions, name+".xml")
	text, err := readFile(path, largestXML)
	if err != nil {
		return Network{}, fmt.Errorf("read the definition of %s: %w", name, explain(err))
	}
	return Network{Name: name, XML: api.File{Name: path, Text: string(text)},
		Autostart: exists(filepath.Join(f.Definitions, autostart, name+".xml")), Active: f.Running != "" && exists(filepath.Join(f.Running, name+".xml"))}, nil
}

// exists reports whether there is a file or link, wherever it leads: in a copy the
// links of autostart lead to the files of the host.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Leases implements Source. What lease helper writes for a bridge comes first; before
// there was one, dnsmasq kept a file for each network.
func (f Files) Leases(_ context.Context, network, bridge string) ([]api.Lease, []string, error) {
	for _, c := range []struct {
		name string
		read func([]byte) ([]api.Lease, []string, error)
	}{{bridge + ".status", parseStatus}, {network + ".leases", parseLeaseFile}} {
		path := filepath.Join(f.LeaseDir, filepath.Base(c.name))
		text, err := readFile(path, largestLeases)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var list []api.Lease
		var notes []string
		if err == nil {
			list, notes, err = c.read(text)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the leases of %s: %s: %w", network, path, explain(err))
		}
		return inForce(list, f.now()), notes, nil
	}
	return nil, nil, nil
}

func (f Files) now() time.Time {
	if f.Now == nil {
		return time.Now()
	}
	return f.Now()
}

// inForce leaves out leases that ended.
func inForce(list []api.Lease, now time.Time) []api.Lease {
	var current []api.Lease
	for _, l := range list {
		if l.Expires == nil || l.Expires.After(now) {
			current = append(current, l)
		}
	}
	return current
}

// readFile reads a file up to a limit. It does not wait for who writes into a pipe.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is not a regular file", path))
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it has more than %d MiB", limit>>20)
	}
	return text, err
}

// explain tells the way out where there is one.
func explain(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; only root may read libvirt's files: use sudo, or ask virsh with --virsh", err)
	}
	return err
}
