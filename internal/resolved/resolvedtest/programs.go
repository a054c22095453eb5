package resolvedtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// programs are the files of systemd-resolved.
type programs struct {
	daemon, resolvectl string
	libraries          string // directory of its private library; "" is the machine's
}

// packages of Debian that hold them. They have to be of one version.
var packages = []string{"systemd-resolved", "libsystemd-shared"}

// Fetch gets the programs where they are missing and Debian's packages can be
// had. It unpacks and does not install: the package's script would make
// /etc/resolv.conf a link to a server that does not run. Pass it to nstest.Main,
// which calls it where the network is; without success the tests skip.
func Fetch() {
	if _, err := find(); err == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := fetch(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "tests that need systemd-resolved will skip: %v\n", err)
	}
}

// find returns the programs of the machine, or else those that Fetch got.
func find() (programs, error) {
	if p := programsIn("/"); p.present() {
		p.libraries = ""
		return p, nil
	}
	dir, err := cacheDir()
	if err != nil {
		return programs{}, err
	}
	if p := programsIn(dir); p.present() {
		return p, p.runs()
	}
	return programs{}, errors.New("needs systemd-resolved: apt install systemd-resolved, or apt-get update where its package can be fetched")
}

// programsIn looks in both places where a merged and an unmerged /usr have them.
func programsIn(root string) programs {
	p := programs{
		daemon:     filepath.Join(root, "usr/lib/systemd/systemd-resolved"),
		resolvectl: filepath.Join(root, "usr/bin/resolvectl"),
	}
	if _, err := os.Stat(p.daemon); err != nil {
		p.daemon = filepath.Join(root, "lib/systemd/systemd-resolved")
	}
	// usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so
	if found, _ := filepath.Glob(filepath.Join(root, "usr/lib/*/systemd/libsystemd-shared-*.so")); len(found) > 0 {
		p.libraries = filepath.Dir(found[0])
	}
	return p
}

func (p programs) present() bool {
	_, daemon := os.Stat(p.daemon)
	_, client := os.Stat(p.resolvectl)
	return daemon == nil && client == nil
}

// runs tells whether the libraries are there that Fetch leaves to the machine:
// those that libsystemd-shared depends on.
func (p programs) runs() error {
	cmd := exec.Command(p.daemon, "--version")
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+p.libraries)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("needs what systemd-resolved is linked with: apt install libsystemd-shared: %w: %s", err, out)
	}
	return nil
}

// cacheDir is below KVMNET_CACHE_DIR, or kvmnet below the user's cache directory.
func cacheDir() (string, error) {
	dir := os.Getenv("KVMNET_CACHE_DIR")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w: set KVMNET_CACHE_DIR", err)
		}
		dir = filepath.Join(user, "kvmnet")
	}
	return filepath.Join(dir, "resolved"), nil
}

// fetch unpacks beside the place and moves there, so that two test binaries that
// fetch at once do not see half of it; the second one's move fails, and is not
// needed.
func fetch(ctx context.Context) error {
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "resolved-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := unpack(ctx, work); err != nil {
		return err
	}
	moved := os.Rename(filepath.Join(work, "root"), dir)
	if _, err := find(); err != nil {
		return errors.Join(moved, err)
	}
	return nil
}

func unpack(ctx context.Context, work string) error {
	if err := command(ctx, work, "apt-get", append([]string{"download", "-qq"}, packages...)...); err != nil {
		return fmt.Errorf("fetch %q (apt-get update may help): %w", packages, err)
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	for _, deb := range debs {
		err = errors.Join(err, command(ctx, work, "dpkg-deb", "-x", deb, "root"))
	}
	return err
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
