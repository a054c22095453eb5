package hostnet

import (
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
	log, err := os.Create(m.networkdLog())
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "-m", "sh", "-c", networkdInside, m.root, filepath.Dir(socket))
	cmd.Stdout, cmd.Stderr = log, log
	if err := m.ns.Do(cmd.Start); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if m.t.Failed() {
			m.t.Logf("systemd-networkd:\n%s", m.networkdSays())
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

func (m *machine) networkdLog() string { return filepath.Join(m.StateDir, "systemd-networkd.log") }

func (m *machine) networkdSays() string {
	text, _ := os.ReadFile(m.networkdLog())
	return string(text)
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

// managed is what systemd-networkd says of how far it is with a link.
func (m *machine) managed(link string) string {
	m.t.Helper()
	index, err := indexOf(m.ns, link)
	if err != nil {
		m.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(m.root, "run/systemd/netif/links", fmt.Sprint(index)))
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if state, is := strings.CutPrefix(strings.TrimSpace(line), "ADMIN_STATE="); is {
			return state
		}
	}
	return "nothing"
}

// ways are the routes and addresses of the host as it is to be: none by hand.
func (m *machine) ways() string {
	m.t.Helper()
	return m.ip("-o", "-4", "address", "show", "scope", "global") + m.ip("route")
}

// TestNetworkdHasItsNICAgain has a conversion reverted while the real manager runs, into
// a new bridge and into one of its own: addresses and routes are as it made them, and it
// has not failed at the NIC that left the bridge.
func TestNetworkdHasItsNICAgain(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"a new bridge": nil,
		"its own": {"/etc/systemd/network/20-br0.netdev": "[NetDev]\nName=br0\nKind=bridge\n",
			"/etc/systemd/network/20-br0.network": "[Match]\nName=br0\n\n[Network]\nAddress=198.51.100.1/24\nConfigureWithoutCarrier=yes\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := networkd()
			all["/etc/systemd/network/10-eth0.network"] += "Gateway=192.0.2.1\nIPv6AcceptRA=no\n" // for which it would wait
			for path, text := range files {
				all[path] = text
			}
			m := newMachine(t, all)
			m.ip("address", "flush", "dev", "eth0") // as after a boot
			m.ip("link", "set", "eth0", "down")
			m.startNetworkd()
			m.is("eth0", "192.0.2.7/24")
			if files != nil {
				m.is("br0", "198.51.100.1/24")
			}
			m.eventually(func() error {
				if !strings.Contains(m.ip("route"), "default") || m.managed("eth0") != "configured" {
					return fmt.Errorf("eth0 is %s\n%s", m.managed("eth0"), m.ways())
				}
				return nil
			})
			before, times := m.ways(), 1
			again := func(when string) {
				t.Helper()
				times++
				m.eventually(func() error {
					got, state, says := m.ways(), m.managed("eth0"), m.networkdSays()
					if got != before || state != "configuring" && state != "configured" || strings.Count(says, "eth0: Gained IPv6LL") < times || strings.Contains(says, "eth0: Failed") {
						return fmt.Errorf("%s: eth0 is %s, and not as before:\n%s", when, state, nstest.Diff(before, got))
					}
					return nil
				})
				if left, _ := filepath.Glob(filepath.Join(m.root, "run/systemd/network/-kvmnet-*")); len(left) > 0 {
					t.Errorf("%s: %v stays", when, left)
				}
			}
			for range 2 {
				m.done(m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"}))
				m.has("192.0.2.7/24", "br0")
				if e, err := m.RollbackChange(t.Context(), ""); err != nil || e.Failure != "" {
					t.Fatal(err, e.Failure)
				}
				again("reverted")
			}
			m.done(m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"}))
			if e, err := m.ConfirmChange(t.Context(), ""); err != nil || e.Failure != "" {
				t.Fatal(err, e.Failure)
			}
			m.is("br0", "192.0.2.7/24")
			m.done(m.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}))
			if e, err := m.ConfirmChange(t.Context(), ""); err != nil || e.Failure != "" {
				t.Fatal(err, e.Failure)
			}
			m.is("eth0", "192.0.2.7/24")
			again("taken back")
		})
	}
}
