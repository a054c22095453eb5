package netns_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// directory is a private one, emptied at the end of the test.
func directory(t *testing.T) netns.Directory {
	t.Helper()
	nstest.Need(t)
	d := netns.Directory(filepath.Join(t.TempDir(), "netns"))
	t.Cleanup(func() {
		for _, name := range names(t, d) {
			if err := d.Delete(name); err != nil {
				t.Error(err)
			}
		}
	})
	return d
}

func names(t *testing.T, d netns.Directory) (list []string) {
	t.Helper()
	entries, err := d.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name)
	}
	return list
}

func create(t *testing.T, d netns.Directory, name string) *netns.NS {
	t.Helper()
	ns, err := d.Create(name, func(*netns.NS) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func id(t *testing.T, ns *netns.NS) uint64 {
	t.Helper()
	n, err := ns.ID()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDirectoryCreatesListsOpensAndDeletes(t *testing.T) {
	d := directory(t)
	if got := names(t, d); got != nil {
		t.Errorf("before: %v", got)
	}
	r1, r2 := create(t, d, "r1"), create(t, d, "r2")
	entries, err := d.List()
	if want := []netns.Entry{{Name: "r1", ID: id(t, r1)}, {Name: "r2", ID: id(t, r2)}}; err != nil || !slices.Equal(entries, want) {
		t.Errorf("got %v %v, want %v", entries, err, want)
	}
	again, err := d.Open("r1")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Name() != "r1" || id(t, again) != id(t, r1) {
		t.Errorf("opened %s %d", again.Name(), id(t, again))
	}
	for range 2 {
		if err := d.Delete("r1"); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, d); !slices.Equal(got, []string{"r2"}) {
		t.Errorf("after: %v", got)
	}
	if _, err := os.Lstat(filepath.Join(string(d), "r1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stayed: %v", err)
	}
}

func TestDirectoryIsThatOfIp(t *testing.T) {
	d, home := netns.Directory(netns.Dir), nstest.NS(t)
	create(t, d, "ours")
	nstest.Run(t, home, "ip", "netns", "add", "theirs")
	if got := names(t, d); !slices.Equal(got, []string{"ours", "theirs"}) {
		t.Errorf("we see %v", got)
	}
	nstest.Run(t, home, "ip", "netns", "exec", "ours", "true")
	nstest.Run(t, home, "ip", "netns", "del", "ours")
	if err := d.Delete("theirs"); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(netns.Dir); err != nil || len(files) > 0 {
		t.Errorf("left: %v %v", files, err)
	}
}

func TestCreateBindsNothingBeforeItIsPrepared(t *testing.T) {
	d := directory(t)
	refused := errors.New("refused")
	_, err := d.Create("r1", func(ns *netns.NS) error {
		if got := names(t, d); got != nil {
			t.Errorf("bound already: %v", got)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	if got := names(t, d); got != nil {
		t.Errorf("bound: %v", got)
	}
	// What is left looks like a crash between the two steps.
	if _, err := d.Open("r1"); !errors.Is(err, netns.ErrNotBound) {
		t.Errorf("opened: %v", err)
	}
	create(t, d, "r1")
}

func TestCreateRefusesATakenName(t *testing.T) {
	d := directory(t)
	r1 := create(t, d, "r1")
	if err := os.WriteFile(filepath.Join(string(d), "notes"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"r1", "notes"} {
		if _, err := d.Create(name, func(*netns.NS) error { return nil }); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if again, err := d.Open("r1"); err != nil || id(t, again) != id(t, r1) {
		t.Errorf("r1 is another one (%v)", err)
	} else {
		again.Close()
	}
	if text, err := os.ReadFile(filepath.Join(string(d), "notes")); string(text) != "mine" {
		t.Errorf("notes: %q %v", text, err)
	}
}

func TestDeleteLeavesWhatIsNoNamespace(t *testing.T) {
	d := directory(t)
	create(t, d, "r1")
	notes := filepath.Join(string(d), "notes")
	if err := os.WriteFile(notes, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete("notes"); !errors.Is(err, netns.ErrNotBound) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(notes); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "..", "../r1", "a/b"} {
		if err := d.Delete(name); err == nil {
			t.Errorf("%q was deleted", name)
		}
		if _, err := d.Open(name); err == nil {
			t.Errorf("%q was opened", name)
		}
		if _, err := d.Create(name, nil); err == nil {
			t.Errorf("%q was created", name)
		}
	}
}

func TestDeleteTakesAwayEveryLayer(t *testing.T) {
	d := directory(t)
	create(t, d, "r1")
	path := filepath.Join(string(d), "r1")
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete("r1"); err != nil {
		t.Fatal(err)
	}
	if got := names(t, d); got != nil {
		t.Errorf("left: %v", got)
	}
}

func TestOpenTellsANetworkNamespaceFromAnother(t *testing.T) {
	d := directory(t)
	create(t, d, "r1")
	path := filepath.Join(string(d), "mounts")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("/proc/self/ns/uts", path, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open("mounts"); !errors.Is(err, netns.ErrNotBound) {
		t.Errorf("got %v", err)
	}
}

func TestWatchWakesWhenNamesComeAndGo(t *testing.T) {
	d := directory(t)
	woken, done := make(chan struct{}, 8), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- d.Watch(ctx, func() { woken <- struct{}{} }) }()
	wait := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Fatalf("not woken when %s", what)
		}
	}
	wait("it began")
	nstest.Eventually(t, 10*time.Second, func() error {
		// What comes before the first look is not news.
		create(t, d, "first")
		select {
		case <-woken:
			return nil
		default:
			return errors.Join(errors.New("not woken"), d.Delete("first"))
		}
	})
	create(t, d, "r1")
	wait("r1 came")
	if err := unix.Unmount(filepath.Join(string(d), "r1"), unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	wait("r1 was unmounted")
	if err := d.Delete("first"); err != nil {
		t.Fatal(err)
	}
	wait("first was deleted")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// victim tells a test process in which directory it is to be killed at work.
const victim = "KVMNET_NETNS_VICTIM"

// TestCreateThatIsKilledLeavesNoNamespace runs itself as the one that is killed
// between making a namespace and giving it its name.
func TestCreateThatIsKilledLeavesNoNamespace(t *testing.T) {
	if dir := os.Getenv(victim); dir != "" {
		netns.Directory(dir).Create("r1", func(*netns.NS) error { return unix.Kill(os.Getpid(), unix.SIGKILL) })
		return
	}
	d := directory(t)
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestCreateThatIsKilledLeavesNoNamespace$")
	cmd.Env = append(os.Environ(), victim+"="+string(d))
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("it was not killed: %v", err)
	}
	if got := names(t, d); got != nil {
		t.Errorf("left: %v", got)
	}
	create(t, d, "r1")
	if got := names(t, d); !slices.Equal(got, []string{"r1"}) {
		t.Errorf("after the next start: %v", got)
	}
}
