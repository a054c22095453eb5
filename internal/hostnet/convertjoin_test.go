package hostnet

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

// defineBridge has systemd-networkd's files make br0, and the kernel have it.
func (r *rig) defineBridge() {
	r.write("/etc/systemd/network/20-br0.netdev", "[NetDev]\nName=br0\nKind=bridge\n")
	r.write("/etc/systemd/network/20-br0.network", "[Match]\nName=br0\n\n[Network]\nAddress=10.7.0.1/24\n")
	r.kernel.own = json.RawMessage(`{"name":"br0","index":7,"link":{"mtu":1500}}`)
}

func (r *rig) joinBridge(volatile bool) (api.Conversion, error) {
	return r.ConvertBridge(r.t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0", Volatile: volatile})
}

// What a bridge had is kept until its NIC leaves it again.
func TestABridgeThatIsThereIsJoinedAndLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.defineBridge()
	before := r.files()
	for _, volatile := range []bool{false, true} {
		if _, err := r.joinBridge(volatile); err != nil {
			t.Fatal(err)
		}
		if _, err := r.ConfirmChange(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if files := r.files(); (files == before) != volatile || !volatile && !strings.Contains(nstest.Diff(before, files), "Bridge=br0") {
			t.Errorf("volatile %v:\n%s", volatile, nstest.Diff(before, files))
		}
		if _, err := r.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth1", Bridge: "br0"}); err == nil || !strings.Contains(err.Error(), "br0 took the place of eth0: 'kvmnet bridge unconvert br0' first") {
			t.Errorf("a second NIC: %v", err)
		}
		r.again() // the record is on disk
		if _, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}); err != nil {
			t.Fatal(err)
		}
		var own struct{ Index int }
		if err := json.Unmarshal(r.kernel.given, &own); err != nil || own.Index != 7 {
			t.Errorf("what was its own is %s, %v", r.kernel.given, err)
		}
		if _, err := r.ConfirmChange(t.Context(), ""); err != nil || r.files() != before {
			t.Errorf("%v\n%s", err, nstest.Diff(before, r.files()))
		}
	}
}

// A bridge and its NIC are in the files of one manager, or the NIC in nobody's.
func TestABridgeIsJoinedInTheFilesOfItsManager(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(r *rig)
		manager string
		want    string // an error, or a warning
	}{
		"both are systemd-networkd's": {func(r *rig) { r.defineBridge() }, "systemd-networkd", ""},
		"the NIC is nobody's": {func(r *rig) {
			r.defineBridge()
			r.remove("/etc/systemd/network/10-eth0.network")
		}, "systemd-networkd", ""},
		"the bridge is nobody's": {func(r *rig) {
			r.defineBridge()
			r.remove("/etc/systemd/network/20-br0.netdev", "/etc/systemd/network/20-br0.network")
		},
			"systemd-networkd", "no file of a network manager makes br0"},
		"the bridge is another's": {func(r *rig) {
			r.defineBridge()
			r.remove("/etc/systemd/network/20-br0.netdev", "/etc/systemd/network/20-br0.network")
			r.write("/etc/kvmnet/interfaces/br0.yaml", "name: br0\ntype: bridge\nipv4: {addresses: [10.7.0.1/24]}\n")
		}, "", "systemd-networkd has the configuration of eth0, and kvmnet that of br0: give both to one of them, or convert with --no-persist"},
		"the bridge is defined and not there": {func(r *rig) { r.defineBridge(); r.kernel.own = nil }, "", "makes a device of that name: choose another with --name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.prepare(r)
			done, err := r.joinBridge(false)
			told := strings.Join(done.Warnings, "\n")
			if (err == nil) != (c.manager != "") || done.Manager != c.manager {
				t.Fatalf("manager %q, %v", done.Manager, err)
			}
			if err != nil {
				told = err.Error()
			}
			if !strings.Contains(told, c.want) {
				t.Errorf("told %q", told)
			}
		})
	}
}

func (r *rig) remove(paths ...string) {
	r.t.Helper()
	var errs []error
	for _, p := range paths {
		errs = append(errs, os.Remove(filepath.Join(r.root, p)))
	}
	if err := errors.Join(errs...); err != nil {
		r.t.Fatal(err)
	}
}
