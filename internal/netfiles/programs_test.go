package netfiles

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

func TestMain(m *testing.M) { nstest.Main(m, fetch) }

// packages of Debian that are unpacked, and not installed: on a machine they would
// begin to configure its network.
var packages = []string{"ifupdown", "bridge-utils", "netplan.io", "libnetplan0", "network-manager", "libnm0", "libndp0", "libteamdctl0"}

// unpacked is where their files are, below usr: of another list elsewhere.
func unpacked() (string, error) {
	dir := os.Getenv("KVMNET_CACHE_DIR")
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find the cache directory: %w: set KVMNET_CACHE_DIR", err)
		}
		dir = filepath.Join(user, "kvmnet")
	}
	return filepath.Join(dir, fmt.Sprintf("managers-%.4x", sha1.Sum([]byte(fmt.Sprint(packages))))), nil
}

// find tells where the programs are, when they run.
func find() (string, error) {
	dir, err := unpacked()
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "usr/sbin/NetworkManager")); err != nil {
		return "", fmt.Errorf("needs the programs of %q, which apt-get download can fetch after apt-get update", packages)
	}
	for _, p := range []string{"usr/sbin/NetworkManager", "usr/bin/nmcli"} {
		cmd := exec.Command(filepath.Join(dir, p), "--version")
		libraries, _ := filepath.Glob(filepath.Join(dir, "usr/lib/*-linux-gnu"))
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(append(libraries, "")[0]))
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("needs what %s is linked with: %w: %s", p, err, out)
		}
	}
	return dir, nil
}

// fetch gets the packages once. Without success the tests that need them skip.
func fetch() {
	if _, err := find(); err == nil {
		return
	}
	if err := download(); err != nil {
		fmt.Fprintf(os.Stderr, "tests that need real network managers will skip: %v\n", err)
	}
}

// download unpacks beside the place and moves there: two test binaries that fetch at
// once do not see half of it.
func download() error {
	dir, err := unpacked()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "managers-new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	script := `apt-get download -qq "$@" && for deb in *.deb; do dpkg-deb -x $deb root || exit; done
for dir in lib sbin bin; do # as on a machine with a merged /usr
	if [ -d root/$dir ]; then mkdir -p root/usr/$dir && cp -a root/$dir/. root/usr/$dir/ || exit; fi
done`
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh"}, packages...)...)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch %q (apt-get update may help): %w: %s", packages, err, out)
	}
	moved := os.Rename(filepath.Join(work, "root"), dir)
	if _, err := find(); err != nil {
		return errors.Join(moved, err)
	}
	return nil
}
