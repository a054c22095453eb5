package qemuguest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestArchiveIsReadByCpio(t *testing.T) {
	t.Parallel()
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		t.Skip("needs cpio: apt install cpio")
	}
	var a archive
	a.add("dir", modeDir|0o755, nil)
	a.add("dir/odd", modeFile|0o644, []byte("abcde"))
	a.add("link", modeLink|0o777, []byte("dir/odd"))
	cmd := exec.Command(cpio, "-id", "--quiet")
	cmd.Dir, cmd.Stdin = t.TempDir(), bytes.NewReader(a.close())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(cmd.Dir, "link")); err != nil || string(got) != "abcde" {
		t.Errorf("through the link: %q, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(cmd.Dir, "dir/odd")); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v; want 0644", info, err)
	}
}

func TestInitScriptsAreShell(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"init.sh", "agent.sh", "udhcpc.sh"} {
		if out, err := exec.Command("sh", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", file, err, out)
		}
	}
}

func TestPrepareSaysWhatToInstall(t *testing.T) {
	none := t.TempDir()
	qemu := filepath.Join(none, "qemu-system-x86_64")
	for want, files := range map[string][]string{
		"apt install qemu-system-x86": nil,
		"apt install busybox-static":  {qemu},
	} {
		for _, f := range files {
			if err := os.WriteFile(f, nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", none)
		_, err := Prepare(t.Context(), nil)
		if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("with %v: got %v, want one line with %q", files, err, want)
		}
		for _, f := range files {
			os.Remove(f)
		}
	}
}

func TestDynamicBusyboxIsRefused(t *testing.T) {
	dir := t.TempDir()
	sh, err := exec.LookPath("bash") // any program with libraries
	if err != nil {
		t.Skip("needs a dynamically linked bash")
	}
	if err := os.Symlink(sh, filepath.Join(dir, "busybox")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if _, err := readBusybox(); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want %v", err, ErrMissing)
	}
}

func TestNewestPackageIsWhatTheMetapackageDependsOn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n":              "linux-image-6.1.0-56-cloud-amd64",
		"linux-image-cloud-amd64\n  Depends: linux-image-6.12.57+deb13-cloud-amd64\n  x: y\n": "linux-image-6.12.57+deb13-cloud-amd64",
		"N: Unable to locate package\n": "",
	} {
		got := ""
		if m := kernelPackage.FindStringSubmatch(text); m != nil {
			got = m[1]
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestFindKernelTakesTheOneFetchedLastAndSkipsUnfinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := findKernel(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty: got %v, want %v", err, os.ErrNotExist)
	}
	now := time.Now()
	for name, age := range map[string]time.Duration{"kernel-6.1.0-9": time.Hour, "kernel-6.1.0-10": time.Minute, "kernel-empty": -1} {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if age < 0 {
			continue
		}
		image := filepath.Join(d, "vmlinuz")
		if err := errors.Join(os.WriteFile(image, nil, 0o644), os.Chtimes(image, now, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := findKernel(dir); err != nil || k.version != "6.1.0-10" {
		t.Errorf("got %+v, %v; want 6.1.0-10", k, err)
	}
}

// The modules of a real kernel, if one is in the cache: each after its needs.
func TestKeptModulesComeAfterWhatTheyNeed(t *testing.T) {
	t.Parallel()
	dir, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	k, err := findKernel(dir)
	if err != nil {
		t.Skipf("needs a fetched kernel: %v", err)
	}
	paths, err := k.modulePaths()
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, path := range paths {
		_, name, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".ko"), "-")
		object, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		needs, err := dependencies(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, need := range needs {
			if !slices.Contains(seen, need) {
				t.Errorf("%s comes before %s", name, need)
			}
		}
		seen = append(seen, name)
	}
	for _, name := range wanted {
		if !slices.Contains(seen, name) {
			t.Errorf("%s is not among %v", name, seen)
		}
	}
}

func TestCompressedModulesAreUnpacked(t *testing.T) {
	t.Parallel()
	for suffix, tool := range map[string]string{".xz": "xz", ".gz": "gzip", ".zst": "zstd"} {
		t.Run(tool, func(t *testing.T) {
			cmd := exec.Command(tool, "-c")
			cmd.Stdin = strings.NewReader("module")
			packed, err := cmd.Output()
			if errors.Is(err, exec.ErrNotFound) {
				t.Skipf("needs %s", tool)
			}
			path := filepath.Join(t.TempDir(), "m.ko"+suffix)
			if err := errors.Join(err, os.WriteFile(path, packed, 0o644)); err != nil {
				t.Fatal(err)
			}
			if got, err := readModule(t.Context(), path); err != nil || string(got) != "module" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestWriteFileReplacesWholly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	for _, content := range []string{"one", "two"} {
		if err := writeFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("got %q, want %q", got, content)
		}
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("left %v", files)
	}
}

func TestLockIsExclusiveAndHeedsTheContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second: got %v, want %v", err, context.DeadlineExceeded)
	}
	unlock()
	if unlock, err = lock(t.Context(), path); err != nil {
		t.Errorf("after unlock: %v", err)
	}
	unlock()
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	b := newTail()
	b.follow(io.NopCloser(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("x"), tailSize)), strings.NewReader("end"))))
	<-b.done
	if s := b.String(); len(s) != tailSize || !strings.HasSuffix(s, "xend") {
		t.Errorf("kept %d bytes, ending in %q", len(s), s[len(s)-4:])
	}
}

func TestCommandLineCarriesWhatInitNeeds(t *testing.T) {
	t.Parallel()
	line := CommandLine(Config{
		Name: "vm1", DHCP: true,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24"), netip.MustParsePrefix("fd00::2/64")},
		Gateways:  []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		Kernel:    []string{"ip=dhcp"},
	})
	for _, want := range []string{"ip=dhcp", "KVMNET_NAME=vm1", "KVMNET_ADDRESSES=10.0.0.2/24,fd00::2/64", "KVMNET_GATEWAYS=10.0.0.1", "KVMNET_DHCP=1"} {
		if !slices.Contains(strings.Fields(line), want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	if line := CommandLine(Config{Name: "vm1"}); strings.Contains(line, "DHCP") || strings.Contains(line, "ADDRESSES") {
		t.Errorf("%q has what was not asked for", line)
	}
}
