package qemuguest

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Assets are the files every guest boots from.
type Assets struct {
	QEMU      string // path of qemu-system-x86_64
	Kernel    string
	Initramfs string
	Version   string // of the kernel, as `uname -r` prints it
}

// initScript is the guest's first program. Besides busybox there is only what it
// starts.
//
//go:embed init.sh
var initScript []byte

//go:embed agent.sh
var agentScript []byte

//go:embed udhcpc.sh
var udhcpcScript []byte

// ErrMissing is wrapped by the error of Prepare when a package has to be
// installed first; the text says what to type.
var ErrMissing = errors.New("a package is missing")

// Prepare finds or makes the kernel and the initramfs. The first time it fetches
// Debian's newest cloud kernel package (about 27 MB) and unpacks, but does not
// install, it. Several processes may prepare at once; one does the work. A nil
// log is silent.
func Prepare(ctx context.Context, log *slog.Logger) (*Assets, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	a, err := prepare(ctx, log)
	if err != nil {
		return nil, fmt.Errorf("prepare guest files: %w", err)
	}
	return a, nil
}

func prepare(ctx context.Context, log *slog.Logger) (*Assets, error) {
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		return nil, missing("qemu-system-x86_64", "qemu-system-x86")
	}
	busybox, err := readBusybox()
	if err != nil {
		return nil, err
	}
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, filepath.Join(dir, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	k, err := findKernel(dir)
	if errors.Is(err, os.ErrNotExist) {
		if err = fetchKernel(ctx, dir, log); err == nil {
			k, err = findKernel(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	initramfs, err := findInitramfs(dir, k, busybox, log)
	if err != nil {
		return nil, err
	}
	return &Assets{QEMU: qemu, Kernel: k.image(), Initramfs: initramfs, Version: k.version}, nil
}

func missing(file, pkg string) error {
	return fmt.Errorf("%s not found: type: apt install %s (%w)", file, pkg, ErrMissing)
}

// cacheDir is KVMNET_CACHE_DIR, or kvmnet below the user's cache directory.
func cacheDir() (string, error) {
	dir := os.Getenv("KVMNET_CACHE_DIR")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w: set KVMNET_CACHE_DIR", err)
		}
		dir = filepath.Join(user, "kvmnet")
	}
	dir = filepath.Join(dir, "guest")
	return dir, os.MkdirAll(dir, 0o755)
}

// lock takes an advisory lock, which ends with the process at the latest.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// findInitramfs returns the initramfs for a kernel, built unless it is there: its
// name is a hash of what goes into it.
func findInitramfs(dir string, k kernel, busybox []byte, log *slog.Logger) (string, error) {
	image, err := buildInitramfs(k, busybox)
	if err != nil {
		return "", fmt.Errorf("build initramfs: %w", err)
	}
	sum := sha256.Sum256(image)
	path := filepath.Join(dir, fmt.Sprintf("initramfs-%x.cpio", sum[:8]))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	log.Info("built initramfs", "path", path, "bytes", len(image))
	return path, writeFile(path, image)
}

// writeFile writes a file that is there whole or not at all.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}
