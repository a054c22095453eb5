package packaged

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestScriptOfOpenRCStartsAndStops has OpenRC's own programs run the script.
func TestScriptOfOpenRCStartsAndStops(t *testing.T) {
	m := boot(t, debian(t), packages(t), reaper)
	m.run("dpkg -i /mnt/packages/kvmnet_1.0.0_*.deb; mkdir -p /etc/kvmnet/networks")
	// What openrc-init would have made.
	m.run("cd /run; for d in starting started stopping stopped inactive wasinactive failed hotplugged daemons options exclusive scheduled tmp; do mkdir -p openrc/$d; done; echo default >openrc/softlevel")
	// Debian's OpenRC leaves mounts to scripts of sysvinit, which is not here.
	m.run(`printf '#!/sbin/openrc-run\nstart() { :; }\n' >/etc/init.d/localmount; chmod 755 /etc/init.d/localmount`)
	m.run("echo 'networks: {lab: {mode: nat, autostart: true, subnets: [{address: 10.9.0.1/24}]}}' >/etc/kvmnet/networks/lab.yaml")
	script := m.command("cat >/etc/init.d/kvmnet && chmod 755 /etc/init.d/kvmnet")
	script.Stdin = strings.NewReader(openrcScript(t))
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	service := func(verb string) {
		t.Helper()
		// What it starts keeps its output open.
		t.Log(m.run("timeout 60 rc-service kvmnet " + verb + " >/tmp/said 2>&1 </dev/null || { echo failed: $?; cat /tmp/said; ps axf; exit 1; }; cat /tmp/said"))
	}
	service("start")
	m.run("ip addr show dev lab | grep -q 10.9.0.1/24") // when it returns, networks are there
	service("status")
	pid := strings.TrimSpace(m.run("pgrep -xf '/usr/sbin/kvmnet daemon'"))
	m.run("kill -9 " + pid)
	eventually(t, func() error { return m.try("kvmnet status") })
	service("restart")
	service("stop")
	if m.try("pgrep -xf '/usr/sbin/kvmnet daemon'") == nil {
		t.Error("it goes on after stop")
	}
	m.run("ip link show dev lab")
	service("clean")
	if m.try("ip link show dev lab") == nil {
		t.Error("lab is still there after clean")
	}
}

// TestScriptOfOpenRCIsOfTheShell that every POSIX system has.
func TestScriptOfOpenRCIsOfTheShell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvmnet")
	os.WriteFile(file, []byte(openrcScript(t)), 0o644)
	if out, err := exec.Command("sh", "-n", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// openrcScript is the script as `make install-openrc` writes it.
func openrcScript(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("make", "-s", "install-openrc", "DESTDIR="+dir, "PREFIX=/usr")
	cmd.Dir = repository
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "etc/init.d/kvmnet"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
