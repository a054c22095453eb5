package hostnet

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
)

// networkdInside is what systemd-networkd sees: its files are those of the test, $0.
// Where /sys cannot be written it does not wait for udev.
const networkdInside = `set -e
mount --make-rprivate /
mount --bind "$0/etc/systemd/network" /etc/systemd/network
mount --bind "$0/run" /run
mount --bind "$1" /run/dbus
mount -t sysfs -o ro sysfs /sys
chown -R systemd-network: /run/systemd/netif
exec /lib/systemd/systemd-networkd`

// startNetworkd starts a systemd-networkd that has the interfaces, and has commands of
// managers reach it.
func (m *machine) startNetworkd() {
	m.t.Helper()
	nstest.Users(m.t)
	if _, err := os.Stat("/lib/systemd/systemd-networkd"); err != nil {
		m.t.Skip("needs systemd-networkd: apt install systemd")
	}
	bus := resolvedtest.NewBus(m.t)
	bus.Start(m.t)
	socket := strings.TrimPrefix(bus.Address, "unix:path=")
	for _, dir := range []string{"run/systemd/netif/links", "run/systemd/netif/leases", "run/systemd/netif/lldp", "run/dbus", "proc/thread-self/ns", "proc/7/ns"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			m.t.Fatal(err)
		}
	}
	m.write("/proc/7/comm", "systemd-network\n") // the kernel cuts it
	for _, link := range []string{"proc/thread-self/ns/net", "proc/7/ns/net"} {
		if err := os.Symlink("net:[1]", filepath.Join(m.root, link)); err != nil {
			m.t.Fatal(err)
		}
	}
	for dir := m.root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755) // it is no root's
	}
	env := append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+bus.Address)
	var log bytes.Buffer
	cmd := exec.Command("unshare", "-m", "sh", "-c", networkdInside, m.root, filepath.Dir(socket))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := m.ns.Do(cmd.Start); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if m.t.Failed() {
			m.t.Logf("systemd-networkd:\n%s", log.String())
		}
	})
	m.Run = func(ctx context.Context, words []string) error {
		c := exec.CommandContext(ctx, words[0], words[1:]...)
		c.Env = env
		return m.ns.Do(func() error {
			if out, err := c.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
			}
			return nil
		})
	}
	m.eventually(func() error { return m.Run(m.t.Context(), []string{"networkctl", "status", "eth0"}) })
	if !m.asker().Running("systemd-networkd") {
		m.t.Fatal("nobody sees it run")
	}
}

func (m *machine) eventually(is func() error) {
	m.t.Helper()
	nstest.Eventually(m.t, 20*time.Second, is)
}

// is waits until an interface has an address, or is not there.
func (m *machine) is(iface, address string) {
	m.t.Helper()
	m.eventually(func() error {
		if got := m.holder(address); got != iface {
			return fmt.Errorf("%s is on %q, not on %q\n%s", address, got, iface, m.ip("address"))
		}
		return nil
	})
}

// TestNetworkdStartsWhatIsDefined has the real manager do what the verbs say, several
// times over.
func TestNetworkdStartsWhatIsDefined(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	m.ip("address", "flush", "dev", "eth0") // as after a boot
	m.ip("link", "set", "eth0", "down")
	m.startNetworkd()
	m.is("eth0", "192.0.2.7/24")
	m.define("name: br7\nbridge:\n  ports:\n    - name: eth1\nipv4:\n  addresses: [198.51.100.1/24]\n")
	for range 2 {
		if c, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: "br7"}); err != nil || c.Conversion != nil {
			t.Fatalf("%+v %v", c, err)
		}
		m.is("br7", "198.51.100.1/24")
		m.eventually(func() error {
			if text := m.ip("-o", "link", "show", "master", "br7"); !strings.Contains(text, "eth1") {
				return fmt.Errorf("eth1 is not in the bridge: %q", text)
			}
			return nil
		})
		if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "br7"}); err != nil {
			t.Fatal(err)
		}
		if got := m.states(); got != "br7- eth0+" {
			t.Errorf("interfaces %s", got)
		}
	}
	m.has("192.0.2.7/24", "eth0")
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth0"}); err != nil {
		t.Fatal(err)
	}
	m.define("name: eth0\nipv4:\n  addresses: [192.0.2.77/24]\n")
	if _, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: "eth0"}); err != nil {
		t.Fatal(err)
	}
	m.is("eth0", "192.0.2.77/24")
	m.is("", "192.0.2.7/24")
}
