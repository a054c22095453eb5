package nstest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/testhost"
)

// Need skips a test, saying what to type, where network namespaces cannot be
// made or the tools to look into them are missing.
func Need(t testing.TB) {
	t.Helper()
	ns, err := netns.New()
	if err == nil {
		err = ns.Do(func() error { return nil }) // entering is easier than coming back
		ns.Close()
	}
	if err != nil {
		t.Skipf("needs network namespaces (%v): run it as root, or as: unshare -rn go test ./...", err)
	}
	for tool, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: apt install %s", tool, pkg)
		}
	}
}

// Users skips a test where no process can become another user: without root, and as
// the only user of a user namespace.
func Users(t testing.TB) {
	t.Helper()
	var inside, outside, count int
	text, err := os.ReadFile("/proc/self/uid_map")
	if err == nil {
		_, err = fmt.Sscan(string(text), &inside, &outside, &count)
	}
	if err != nil || os.Getuid() != 0 || count < 2 {
		t.Skip("needs other users than one: run it as root")
	}
}

// NS makes a private namespace, closed at the end of the test.
func NS(t testing.TB) *netns.NS {
	t.Helper()
	Need(t)
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

// Host makes a test host, closed at the end of the test.
func Host(t testing.TB, name string) *testhost.Host {
	t.Helper()
	Need(t)
	h, err := testhost.New(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Eventually calls try until it returns nil, and fails the test with its last
// error after the timeout. The pauses grow from 1 ms to 50 ms.
func Eventually(t testing.TB, timeout time.Duration, try func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %v", timeout, err)
		}
		time.Sleep(pause)
	}
}

// Run runs a command in a namespace and returns what it wrote, errors included.
// A command that fails fails the test.
func Run(t testing.TB, ns *netns.NS, name string, args ...string) string {
	t.Helper()
	out, err := output(ns, exec.Command(name, args...))
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}
