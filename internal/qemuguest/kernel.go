package qemuguest

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// kernel is an unpacked kernel in the cache: its image and the modules a guest
// needs, decompressed.
type kernel struct {
	dir     string
	version string
}

func (k kernel) image() string { return filepath.Join(k.dir, "vmlinuz") }

// wanted are the drivers of a guest's NIC; what they depend on comes with them.
var wanted = []string{"virtio_pci", "virtio_net"}

// findKernel returns the kernel in the cache that was fetched last; the error is
// os.ErrNotExist if there is none.
func findKernel(dir string) (kernel, error) {
	dirs, err := filepath.Glob(filepath.Join(dir, "kernel-*"))
	if err != nil {
		return kernel{}, err
	}
	var best kernel
	var newest fs.FileInfo
	for _, d := range dirs {
		info, err := os.Stat(filepath.Join(d, "vmlinuz"))
		if err == nil && (newest == nil || info.ModTime().After(newest.ModTime())) {
			best, newest = kernel{d, strings.TrimPrefix(filepath.Base(d), "kernel-")}, info
		}
	}
	if newest == nil {
		return kernel{}, fmt.Errorf("find a kernel in %s: %w", dir, os.ErrNotExist)
	}
	return best, nil
}

// metapackage depends on Debian's newest kernel for virtual machines.
const metapackage = "linux-image-cloud-amd64"

// fetchKernel downloads and unpacks the newest cloud kernel into the cache. All
// happens in a directory beside it, renamed at the end.
func fetchKernel(ctx context.Context, dir string, log *slog.Logger) error {
	for _, tool := range []string{"apt-cache", "apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("fetch a guest kernel: %s not found: guests need Debian's tools for the first start (%w)", tool, ErrMissing)
		}
	}
	work, err := os.MkdirTemp(dir, ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pkg, err := newestPackage(ctx)
	if err != nil {
		return err
	}
	log.Info("fetching guest kernel", "package", pkg)
	if err := run(ctx, work, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", pkg); err != nil {
		return fmt.Errorf("fetch guest kernel: %w: type: apt-get update", err)
	}
	debs, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(debs) != 1 {
		return fmt.Errorf("fetch guest kernel: apt-get download %s left %d packages", pkg, len(debs))
	}
	root := filepath.Join(work, "root")
	if err := run(ctx, work, "dpkg-deb", "-x", debs[0], root); err != nil {
		return fmt.Errorf("unpack guest kernel: %w", err)
	}
	return keepKernel(ctx, root, work, dir)
}

var kernelPackage = regexp.MustCompile(`(?m)^\s*Depends: (linux-image-\S+-cloud-amd64)$`)

func newestPackage(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", metapackage).Output()
	if m := kernelPackage.FindSubmatch(out); m != nil {
		return string(m[1]), nil
	}
	return "", errors.Join(fmt.Errorf("find a guest kernel: apt knows no %s: type: apt-get update (%w)", metapackage, ErrMissing), err)
}

func run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// keepKernel moves the image and the modules out of an unpacked package.
func keepKernel(ctx context.Context, root, work, dir string) error {
	images, _ := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if len(images) != 1 {
		return fmt.Errorf("unpack guest kernel: found %d images", len(images))
	}
	version := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	kept := filepath.Join(work, "kept")
	if err := os.MkdirAll(filepath.Join(kept, "modules"), 0o755); err != nil {
		return err
	}
	files, err := moduleFiles(root)
	if err != nil {
		return err
	}
	order, modules, err := collect(ctx, files)
	if err != nil {
		return err
	}
	for i, name := range order {
		if err := os.WriteFile(filepath.Join(kept, "modules", fmt.Sprintf("%02d-%s.ko", i, name)), modules[name], 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(images[0], filepath.Join(kept, "vmlinuz")); err != nil {
		return err
	}
	return os.Rename(kept, filepath.Join(dir, "kernel-"+version))
}

// moduleFiles maps the names of a kernel's modules to their files. The kernel
// takes - and _ in names for the same.
func moduleFiles(root string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); err == nil && ok && !d.IsDir() {
			files[strings.ReplaceAll(name, "-", "_")] = path
		}
		return err
	})
	return files, err
}

// collect reads the wanted modules and all they depend on, and orders them so
// that each comes after what it needs. A dependency without a file is built into
// the kernel.
func collect(ctx context.Context, files map[string]string) (order []string, modules map[string][]byte, err error) {
	modules = map[string][]byte{}
	var visit func(name string) error
	visit = func(name string) error {
		file, ok := files[name]
		if _, done := modules[name]; done || !ok {
			return nil
		}
		object, err := readModule(ctx, file)
		if err != nil {
			return fmt.Errorf("read module %s: %w", name, err)
		}
		modules[name] = object
		needs, err := dependencies(object)
		if err != nil {
			return fmt.Errorf("read module %s: %w", name, err)
		}
		for _, need := range needs {
			if err := visit(need); err != nil {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	for _, name := range wanted {
		if err := visit(name); err != nil {
			return nil, nil, err
		}
	}
	return order, modules, nil
}

// readModule reads a module, decompressed if it is not plain.
func readModule(ctx context.Context, path string) ([]byte, error) {
	tool, ok := map[string]string{".xz": "xz", ".zst": "zstd", ".gz": "gzip"}[filepath.Ext(path)]
	if !ok {
		return os.ReadFile(path)
	}
	out, err := exec.CommandContext(ctx, tool, "-dc", path).Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, missing(tool, map[string]string{"xz": "xz-utils", "zstd": "zstd", "gzip": "gzip"}[tool])
	}
	return out, err
}

// dependencies reads what a module needs from the module itself: modules.dep is
// made by depmod when a package is installed, which ours is not.
func dependencies(object []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, errors.New("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for line := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(line, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(strings.ReplaceAll(string(list), "-", "_"), ","), nil
		}
	}
	return nil, nil
}

// modulePaths lists the kept modules in the order to insert them.
func (k kernel) modulePaths() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(k.dir, "modules", "*.ko"))
	slices.Sort(paths)
	return paths, err
}
