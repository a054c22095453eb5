package daemon_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// TestCleanLeavesTheHostAsItWas takes everything away, after a kill, too, and leaves
// what somebody else made. The definitions stay: the next start makes it all again.
func TestCleanLeavesTheHostAsItWas(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	nstest.Run(t, m.NS, "ip", "tuntap", "add", "theirs", "mode", "tap")
	before := nstest.Dump(t, m.NS)
	m.Start(0)
	m.Apply(allModes + "  vm4: {network: lab}\n" + `
routers: {r1: {uplink: {network: lab, address: 10.2.0.9/24, gateway: 10.2.0.1}, interfaces: [{network: quiet, address: 10.9.0.1/24}]}}
`)
	m.Settled()
	there := nstest.Run(t, m.NS, "ip", "-br", "addr", "show", "dev", "lab")
	m.Kill()
	for range 2 {
		m.LaunchAs(daemontest.Role{Dir: m.Dir, Clean: true})
		if m.Wait(); !m.Cmd.ProcessState.Success() {
			t.Fatalf("%s\n%s", m.Cmd.ProcessState, m.Log)
		}
		nstest.Eventually(t, 10*time.Second, func() error { return differs(before, nstest.Dump(t, m.NS)) })
	}
	m.Start(0)
	m.Settled()
	if again := nstest.Run(t, m.NS, "ip", "-br", "addr", "show", "dev", "lab"); again != there {
		t.Errorf("lab is %q again, was %q", again, there)
	}
}

func differs(want, got string) error {
	if d := nstest.Diff(want, got); d != "" {
		return errors.New(d)
	}
	return nil
}

// TestCleanDoesNotWorkBesideADaemon which would make everything again.
func TestCleanDoesNotWorkBesideADaemon(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nstest.NS(t))
	m.Start(0)
	other := newMachine(t, m.NS)
	other.LaunchAs(daemontest.Role{Dir: m.Dir, Clean: true})
	other.Wait()
	if log := other.Log.String(); other.Cmd.ProcessState.Success() || !strings.Contains(log, "stop it first") {
		t.Errorf("%s: %s", other.Cmd.ProcessState, log)
	}
}

// TestServiceManagerHearsOfTheFirstPassAndOfTheLoop starts a daemon that has an
// autostart network.
func TestServiceManagerHearsOfTheFirstPassAndOfTheLoop(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	path := filepath.Join(m.Dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	hear := func() string {
		b := make([]byte, 512)
		manager.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := manager.Read(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, m.Log)
		}
		return string(b[:n])
	}
	defined := filepath.Join(daemontest.Options(m.Dir).ConfigDir, "networks", "lab.yaml")
	os.MkdirAll(filepath.Dir(defined), 0o755)
	if err := os.WriteFile(defined, []byte("networks: {lab: {mode: nat, autostart: true, subnets: [{address: 10.2.0.1/24}]}}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.Env = []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=30000"}
	m.Launch(0)
	if got := hear(); got != "READY=1" {
		t.Errorf("the first word is %q", got)
	}
	if out := nstest.Run(t, m.NS, "ip", "-br", "addr", "show", "dev", "lab"); !strings.Contains(out, "10.2.0.1/24") {
		t.Errorf("ready, and lab is %q", out)
	}
	for range 3 {
		if got := hear(); got != "WATCHDOG=1" {
			t.Errorf("a later word is %q", got)
		}
	}
}
