package resolvedtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

// patience is how long a program may take to come up on a busy machine.
const patience = 20 * time.Second

// Bus is a private D-Bus, on which everybody may do everything.
type Bus struct {
	Address string // as in DBUS_SYSTEM_BUS_ADDRESS

	dir    string
	daemon *exec.Cmd // nil when stopped
}

// busConfig is the configuration of dbus-daemon(1). %[1]s is a directory.
const busConfig = `<busconfig>
  <listen>unix:path=%[1]s/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%[1]s/services</servicedir>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`

// NewBus makes a bus that is not started yet. It skips the test where there is
// no dbus-daemon.
func NewBus(t testing.TB) *Bus {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("needs dbus-daemon: apt install dbus-daemon")
	}
	// t.TempDir is too long for the path of a socket, 107 bytes (unix(7)).
	dir, err := os.MkdirTemp("", "kvmnet-bus-")
	try(t, err)
	b := &Bus{dir: dir, Address: "unix:path=" + filepath.Join(dir, "run/dbus/system_bus_socket")}
	t.Cleanup(func() {
		b.Stop(t)
		os.RemoveAll(dir)
	})
	try(t, os.MkdirAll(filepath.Join(dir, "run/dbus"), 0o755))
	try(t, os.Mkdir(filepath.Join(dir, "services"), 0o755))
	try(t, os.WriteFile(b.config(), fmt.Appendf(nil, busConfig, dir), 0o644))
	return b
}

func (b *Bus) config() string { return filepath.Join(b.dir, "bus.conf") }
func (b *Bus) socket() string { return filepath.Join(b.dir, "run/dbus/system_bus_socket") }

// Activate makes the bus start a program when somebody calls a name that nobody
// owns, as systemd's units for D-Bus do. It takes effect at the next Start.
func (b *Bus) Activate(t testing.TB, name, exec string) {
	t.Helper()
	text := fmt.Sprintf("[D-BUS Service]\nName=%s\nExec=%s\n", name, exec)
	try(t, os.WriteFile(filepath.Join(b.dir, "services", name+".service"), []byte(text), 0o644))
}

// Start starts the bus and waits until it listens.
func (b *Bus) Start(t testing.TB) {
	t.Helper()
	b.daemon = exec.Command("dbus-daemon", "--config-file="+b.config(), "--nofork", "--nopidfile")
	try(t, b.daemon.Start())
	nstest.Eventually(t, patience, func() error {
		c, err := net.Dial("unix", b.socket())
		if err == nil {
			c.Close()
		}
		return err
	})
}

// Stop ends the bus, and with it every connection. Stopping twice is harmless.
func (b *Bus) Stop(t testing.TB) {
	t.Helper()
	if b.daemon == nil {
		return
	}
	end(t, b.daemon)
	b.daemon = nil
	os.Remove(b.socket()) // killed, it leaves it behind
}

// end kills a child and waits for its end.
func end(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	kill := cmd.Process.Kill()
	if errors.Is(kill, os.ErrProcessDone) {
		kill = nil
	}
	_, exited := errors.AsType[*exec.ExitError](cmd.Wait())
	if kill != nil && !exited {
		t.Error(kill)
	}
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
