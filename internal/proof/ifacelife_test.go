package proof

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/peers"
)

// configured is the machine of two NICs, of which eth0 has an address and a file of
// systemd-networkd.
func configured(t *testing.T) *daemontest.Machine {
	t.Helper()
	m := nicMachine(t)
	for name, text := range map[string]string{
		"etc/systemd/network/10-eth0.network": "[Match]\nName=eth0\n\n[Network]\nAddress=192.0.2.7/24\n", "etc/systemd/system/multi-user.target.wants/systemd-networkd.service": "",
	} {
		path := filepath.Join(m.Dir, "root", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ipIn(t, m.NS, "address", "add", "192.0.2.7/24", "dev", "eth0")
	m.Start(0)
	return m
}

// said runs a command of ours that has to work.
func said(t *testing.T, m *daemontest.Machine, line string) string {
	t.Helper()
	s := kvmnetSays(t, m, strings.Fields(line)...)
	if s.Code != 0 {
		t.Errorf("%s: exit code %d: %s", line, s.Code, s.Err)
	}
	return s.Out + s.Err
}

// tree is all files of the machine, as diff would compare them.
func tree(t *testing.T, m *daemontest.Machine) string {
	t.Helper()
	var b strings.Builder
	root := filepath.Join(m.Dir, "root")
	err := filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if strings.HasPrefix(path, filepath.Join(root, "run")+"/") {
			return nil // which a boot forgets
		}
		text, err := os.ReadFile(path)
		b.WriteString(strings.TrimPrefix(path, root) + "\n" + string(text) + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestIfaceBridgeIsRevertedWithTheDaemon: nobody confirms the bridge that virsh's verb
// made, and the daemon is killed.
func TestIfaceBridgeIsRevertedWithTheDaemon(t *testing.T) {
	t.Parallel()
	m := configured(t)
	before := tree(t, m)
	text := said(t, m, "iface-bridge eth0 br7 --no-stp")
	if !strings.Contains(text, "Created bridge br7 with attached device eth0\nBridge interface br7 started\n") || !strings.Contains(text, "unless it is confirmed, from a new session: kvmnet bridge confirm") {
		t.Errorf("said %q", text)
	}
	if on := ipIn(t, m.NS, "-o", "-4", "address", "show", "br7"); !strings.Contains(on, "192.0.2.7/24") {
		t.Errorf("the bridge has %q", on)
	}
	m.Kill()
	m.Start(0)
	if on := ipIn(t, m.NS, "-o", "-4", "address", "show", "eth0"); !strings.Contains(on, "192.0.2.7/24") {
		t.Errorf("the NIC has %q", on)
	}
	if text := said(t, m, "iface-list --all"); strings.Contains(text, "br7") {
		t.Errorf("there is still\n%s", text)
	}
	if after := tree(t, m); after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
}

// TestIfaceChangeOutlivesTheDaemon begins, changes in every way, kills the daemon and
// rolls back.
func TestIfaceChangeOutlivesTheDaemon(t *testing.T) {
	m := configured(t)
	before, list := tree(t, m), said(t, m, "iface-list --all")
	said(t, m, "iface-begin")
	t.Setenv("VISUAL", "")
	t.Setenv("EDITOR", `sed -i s/192.0.2.7/192.0.2.77/`)
	if text := said(t, m, "iface-edit eth0"); !strings.Contains(text, "Interface eth0 XML configuration edited.") {
		t.Errorf("said %q", text)
	}
	file := filepath.Join(t.TempDir(), "br7.xml")
	if err := os.WriteFile(file, []byte("<interface type='bridge' name='br7'><start mode='none'/><bridge stp='off' delay='0'><interface type='ethernet' name='eth1'/></bridge></interface>"), 0o644); err != nil {
		t.Fatal(err)
	}
	said(t, m, "iface-define "+file)
	said(t, m, "iface-start br7")
	said(t, m, "iface-unbridge br7")
	if c, err := m.Client.ConfirmChange(t.Context(), onlyArmed(t, m)); err != nil {
		t.Errorf("%+v %v", c, err)
	}
	m.Kill()
	m.Start(0)
	if got := kvmnetSays(t, m, "iface-begin"); got != (peers.Said{Out: "\n", Err: "error: Failed to begin network config change transaction\nerror: Requested operation is not valid: there is another transaction running.\n", Code: 1}) {
		t.Errorf("begun twice: %+v", got)
	}
	said(t, m, "iface-rollback")
	if after := tree(t, m); after != before {
		t.Errorf("files before:\n%s\nafter:\n%s", before, after)
	}
	if after := said(t, m, "iface-list --all"); after != list {
		t.Errorf("interfaces before:\n%s\nafter:\n%s", list, after)
	}
}

// onlyArmed is the conversion that waits.
func onlyArmed(t *testing.T, m *daemontest.Machine) string {
	t.Helper()
	changes, err := m.Client.Changes(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.State == api.ChangeArmed && c.ID != "interfaces" {
			return c.ID
		}
	}
	t.Fatalf("nothing waits: %+v", changes)
	return ""
}
