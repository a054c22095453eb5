package packaged

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// suite is the Debian that is installed.
const suite = "bookworm"

// debian returns a root with a small Debian, fetched once.
func debian(t *testing.T) string {
	t.Helper()
	if !*withSystemd {
		t.Skip("with -systemd only: fetches a Debian of 200 MB")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "kvmnet", "debian-"+suite)
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	os.MkdirAll(filepath.Dir(dir), 0o755)
	making := dir + ".making"
	os.RemoveAll(making)
	cmd := exec.Command("mmdebstrap", "--variant=minbase", "--include=adduser,bsdutils,dbus,init,iproute2,iputils-ping,nftables,openrc,procps", suite, making)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if err := os.Rename(making, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func bootSystemd(t *testing.T) *machine {
	t.Helper()
	m := boot(t, debian(t), packages(t), "/lib/systemd/systemd --log-target=console --show-status=no")
	eventually(t, func() error {
		return m.try(`case $(systemctl is-system-running) in running | degraded) ;; *) exit 1 ;; esac`)
	})
	return m
}

// TestPackageComesAndGoesUnderSystemd is the life of a package where systemd starts the
// daemon, with what the unit permits.
func TestPackageComesAndGoesUnderSystemd(t *testing.T) {
	m := bootSystemd(t)
	live(m, func(string) {
		m.run("systemctl is-active kvmnet.service kvmnet.socket kvmnet-guests.socket")
		m.run("kvmnet status")
	})
}

// TestUnitsDoWhatTheySay looks at the daemon that systemd started.
func TestUnitsDoWhatTheySay(t *testing.T) {
	m := bootSystemd(t)
	m.run("dpkg -i /mnt/packages/kvmnet_1.0.0_*.deb")
	if out := m.run("stat -c '%n %a %G' /run/kvmnet/*.sock"); out != "/run/kvmnet/guests.sock 666 root\n/run/kvmnet/kvmnet.sock 660 kvmnet\n" {
		t.Errorf("sockets:\n%s", out)
	}
	m.outside()
	m.run("kvmnet net add lab --nat 10.9.0.0/24 && kvmnet net autostart lab")
	pid := func() string { return strings.TrimSpace(m.run("systemctl show -P MainPID kvmnet")) }
	first := pid()
	if caps := m.run("grep CapBnd /proc/" + first + "/status"); !strings.Contains(caps, "0000000000283405") {
		t.Errorf("capabilities %s", caps)
	}
	t.Run("socket starts it", func(t *testing.T) {
		m.run("systemctl stop kvmnet.service; kvmnet status; systemctl is-active kvmnet.service")
	})
	t.Run("killed it comes again", func(t *testing.T) {
		before := pid()
		m.run("kill -9 " + before)
		eventually(t, func() error {
			return m.try("test $(systemctl show -P MainPID kvmnet) != " + before + " && systemctl is-active kvmnet")
		})
		m.run("kvmnet status")
	})
	t.Run("hanging it is replaced", func(t *testing.T) {
		m.run("mkdir -p /run/systemd/system/kvmnet.service.d; printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/kvmnet.service.d/w.conf; systemctl daemon-reload; systemctl restart kvmnet")
		before := pid()
		m.run("kill -STOP " + before)
		eventually(t, func() error {
			return m.try("test $(systemctl show -P MainPID kvmnet) != " + before + " && systemctl is-active kvmnet")
		})
		m.run("systemctl show -P NRestarts kvmnet | grep -qv '^0'")
	})
	t.Run("settings of the host are borrowed over restarts", func(t *testing.T) {
		m.run("systemctl restart kvmnet; kvmnet net stop lab; grep -q 0 /proc/sys/net/ipv4/conf/eth0/forwarding")
		m.run("kvmnet net start lab; systemctl restart kvmnet; grep -q 1 /proc/sys/net/ipv4/conf/eth0/forwarding")
		m.run("kvmnet net stop lab; grep -q 0 /proc/sys/net/ipv4/conf/eth0/forwarding; kvmnet net start lab")
	})
	t.Run("recover runs before there is a daemon", func(t *testing.T) {
		m.run("systemctl stop kvmnet.socket kvmnet-guests.socket kvmnet.service; systemctl restart kvmnet-recover.service; systemctl start kvmnet.socket kvmnet-guests.socket kvmnet.service")
	})
	t.Run("a NIC moves into a bridge and back with these rights", func(t *testing.T) {
		m.run("kvmnet bridge convert eth0 --name br0 --confirm-within 60s --detach; kvmnet bridge confirm; ip addr show dev br0 | grep -q 192.0.2.2/24; ping -c1 -W3 192.0.2.1")
		m.run("kvmnet bridge unconvert br0 --confirm-within 60s --detach; kvmnet bridge confirm; ip addr show dev eth0 | grep -q 192.0.2.2/24; ping -c1 -W3 192.0.2.1; kvmnet bridge history")
	})
	t.Run("nothing was refused by a filter", func(t *testing.T) {
		m.run("kvmnet verify lab")
		// A stop amid a pass tells of its context, which is nobody's refusal.
		refused := regexp.MustCompile(`(?m)^.*(level=(WARN|ERROR)|operation not permitted|permission denied).*$`)
		if lines := refused.FindAllString(m.run("journalctl -b -u kvmnet -o cat | grep -v 'context canceled'"), -1); lines != nil {
			t.Errorf("journal:\n%s", strings.Join(lines, "\n"))
		}
	})
	t.Run("after a boot networks are there before the network is", func(t *testing.T) {
		out := m.run("systemctl list-dependencies --before --plain kvmnet.service")
		if !strings.Contains(out, "network.target") {
			t.Errorf("it is before:\n%s", out)
		}
	})
}

// TestUnitsAreWellFormed has systemd-analyze read them where they are installed.
func TestUnitsAreWellFormed(t *testing.T) {
	m := bootSystemd(t)
	m.run("dpkg -i /mnt/packages/kvmnet_1.0.0_*.deb")
	if out := m.run("systemd-analyze verify --man=no /usr/lib/systemd/system/kvmnet*"); out != "" {
		t.Error(out)
	}
	out := m.run("systemd-analyze security --no-pager kvmnet.service")
	exposure := regexp.MustCompile(`exposure level for kvmnet.service: (\S+)`).FindStringSubmatch(out)
	if documented, _ := os.ReadFile(repository + "/docs/install.md"); exposure == nil || !strings.Contains(string(documented), exposure[1]+" of 10") {
		t.Errorf("docs/install.md tells another exposure than %q:\n%s", exposure, out)
	}
}
