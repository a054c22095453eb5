package hostnet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

// convert converts eth0 and fails on any error.
func (r *rig) convert() api.Conversion {
	r.t.Helper()
	c, err := r.ConvertBridge(r.t.Context(), api.ConvertBridge{Interface: "eth0"})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func TestConvertedAndBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.files()
	c := r.convert()
	r.kernel.is(t, "eth0 in br0")
	if c.Change.State != api.ChangeArmed || c.Change.What != "eth0 into br0" || c.Change.Left != "1m0s" || c.Manager != "systemd-networkd" || !strings.Contains(c.Outage, "s") {
		t.Errorf("%+v %+v", c, c.Change)
	}
	if r.files() != before {
		t.Error("files were written before the confirmation")
	}
	if done, err := r.ConfirmChange(t.Context(), ""); err != nil || done.State != api.ChangeConfirmed || done.Failure != "" {
		t.Fatalf("%+v, %v", done, err)
	}
	if d := nstest.Diff(before, r.files()); !strings.Contains(d, "Bridge=br0") {
		t.Errorf("the files have no bridge:\n%s", d)
	}
	list, err := r.Conversions(t.Context())
	if err != nil || len(list) != 1 || list[0].Bridge != "br0" || list[0].Interface != "eth0" || list[0].Manager != "systemd-networkd" || len(list[0].Files) == 0 {
		t.Errorf("conversions %+v, %v", list, err)
	}
	back, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0", ConfirmWithin: 5})
	if err != nil || back.Change.What != "eth0 out of br0" {
		t.Fatalf("%+v, %v", back, err)
	}
	r.kernel.is(t, "eth0")
	if _, err := r.ConfirmChange(t.Context(), back.Change.ID); err != nil {
		t.Fatal(err)
	}
	if d := nstest.Diff(before, r.files()); d != "" {
		t.Errorf("the files are not what they were:\n%s", d)
	}
	if list, _ := r.Conversions(t.Context()); len(list) != 0 {
		t.Errorf("conversions %+v", list)
	}
}

func TestUnconvertThatIsNotConfirmedLeavesTheBridge(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.convert()
	if _, err := r.ConfirmChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	files := r.files()
	if _, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.RollbackChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	r.kernel.is(t, "eth0 in br0")
	if list, _ := r.Conversions(t.Context()); len(list) != 1 || r.files() != files {
		t.Errorf("conversions %+v, files:\n%s", list, nstest.Diff(files, r.files()))
	}
}

func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.files()
	r.claims["eth0"] = "note: network/lab leaves by eth0"
	c, err := r.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Plan: true, STP: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.Change != nil || len(c.Ops) != 2 || c.Ops[0] != "link add br0 type bridge stp true" || !strings.Contains(c.Files, "+Bridge=br0") || c.Outage == "" ||
		strings.Join(c.Warnings, "") != "note: network/lab leaves by eth0" {
		t.Errorf("%+v", c)
	}
	r.kernel.is(t, "eth0")
	if changes, _ := r.Changes(t.Context()); len(changes) > 0 || r.files() != before {
		t.Errorf("changes %+v", changes)
	}
}

func TestNothingIsWrittenIfAskedNotTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.files()
	c, err := r.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Volatile: true})
	if err != nil || c.Manager != "" || c.Files != "" || !strings.Contains(strings.Join(c.Warnings, ""), "after a reboot there is no bridge") {
		t.Fatalf("%+v, %v", c, err)
	}
	if _, err := r.ConfirmChange(t.Context(), ""); err != nil || r.files() != before {
		t.Errorf("%v\n%s", err, nstest.Diff(before, r.files()))
	}
	if _, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}); err != nil {
		t.Error(err)
	}
}

func TestMoveThatFailsIsRevertedAtOnceAndTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kernel.broken = errors.New("set link eth0 master br0: device or resource busy")
	_, err := r.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0"})
	if err == nil || !strings.Contains(err.Error(), "device or resource busy") {
		t.Errorf("error %v", err)
	}
	r.kernel.is(t, "eth0")
	changes, _ := r.Changes(t.Context())
	if len(changes) != 1 || changes[0].State != api.ChangeReverted || !strings.Contains(changes[0].Why, "busy") {
		t.Errorf("%+v", changes)
	}
}

func TestConversionsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.claims = map[string]string{"eth7": "eth7 is a port of bridge/br9 by its definition: take it out there first", "lab0": "lab0 is the bridge of network/lab: take another name"}
	held := r.convert()
	for want, c := range map[string]api.ConvertBridge{
		"conflict eth7 is a port of bridge/br9":                                  {Interface: "eth7"},
		"conflict lab0 is the bridge of network/lab":                             {Interface: "eth1", Bridge: "lab0"},
		"conflict eth0 is held by change " + held.Change.ID + " (eth0 into br0)": {Interface: "eth0", Bridge: "br5"},
		"conflict br0 is held by change " + held.Change.ID:                       {Interface: "eth1", Bridge: "br0"},
		"invalid the bridge needs another name than the NIC eth1":                {Interface: "eth1", Bridge: "eth1"},
		"invalid a forward delay is for bridges that speak":                      {Interface: "eth1", Delay: 4},
		"invalid ": {Interface: "this-name-is-too-long"},
	} {
		_, err := r.ConvertBridge(t.Context(), c)
		var e *api.Error
		if !errors.As(err, &e) || !strings.HasPrefix(e.Code+" "+err.Error(), want) {
			t.Errorf("want %q\ngot  %v", want, err)
		}
	}
	var e *api.Error
	if _, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br7"}); !errors.As(err, &e) || e.Code != api.CodeNotFound {
		t.Errorf("error %v", err)
	}
	r.kernel.is(t, "eth0 in br0")
}

func TestFirstFreeNameIsTaken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kernel.links, r.claims["br1"] = []string{"br0"}, "bridge/br1 is defined"
	if c := r.convert(); c.Change.What != "eth0 into br2" {
		t.Errorf("%+v", c.Change)
	}
}

func TestKilledDaemonRevertsWhenItStarts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	before := r.files()
	r.convert()
	r.again()
	r.kernel.is(t, "eth0")
	changes, _ := r.Changes(t.Context())
	if len(changes) != 1 || changes[0].State != api.ChangeReverted || r.files() != before {
		t.Errorf("%+v", changes)
	}
}

// Somebody makes one of the files meanwhile: that is not overwritten, and the change is
// finished when the file is as it was.
func TestFileThatSomebodyMadeIsNotOverwritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.convert()
	const path = "/etc/systemd/network/05-kvmnet-br0.netdev"
	r.write(path, "# mine")
	done, err := r.ConfirmChange(t.Context(), "")
	if err != nil || done.State != api.ChangeConfirmed || !strings.Contains(done.Failure, path) {
		t.Fatalf("%+v, %v", done, err)
	}
	if !strings.Contains(r.files(), "# mine") {
		t.Error("the file was overwritten")
	}
	if err := os.Remove(filepath.Join(r.root, path)); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		changes, _ := r.Changes(t.Context())
		if changes[0].ID != c.Change.ID || changes[0].Failure != "" {
			return errors.New(changes[0].Failure)
		}
		return nil
	})
}

// The manager renews the lease, and that is told.
func TestLeaseIsRenewedByTheManager(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.kernel.leased = true
	c, err := r.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Plan: true})
	if err != nil || !strings.Contains(strings.Join(c.Warnings, ""), "systemd-networkd renews it there") {
		t.Errorf("%v, %v", c.Warnings, err)
	}
}

// A manager that would take the bridge for its own is kept away while the change waits,
// and not longer.
func TestManagerIsKeptAwayWhileTheChangeWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("/etc/systemd/network/10-eth0.network", "[Match]\nName=*\n\n[Network]\nAddress=192.0.2.2/24\n")
	shields := func() int {
		found, err := filepath.Glob(filepath.Join(r.root, "run/systemd/network/*.network"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	before := r.files()
	for _, end := range []func(context.Context, string) (api.HostChange, error){r.RollbackChange, r.ConfirmChange} {
		r.convert()
		if shields() != 1 || r.files() != before {
			t.Errorf("%d shields while it waits", shields())
		}
		if done, err := end(t.Context(), ""); err != nil || done.Failure != "" || shields() != 0 {
			t.Errorf("%+v, %v, %d shields", done, err, shields())
		}
	}
	if _, err := r.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}); err != nil || shields() != 1 {
		t.Errorf("%v, %d shields", err, shields())
	}
	if _, err := r.ConfirmChange(t.Context(), ""); err != nil || shields() != 0 || r.files() != before {
		t.Errorf("%v, %d shields\n%s", err, shields(), nstest.Diff(before, r.files()))
	}
}
