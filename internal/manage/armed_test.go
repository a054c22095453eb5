package manage

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
)

// waiter keeps what waits, and reverts it when a test asks.
type waiter struct {
	m      *Manager
	all    []ArmedChange
	undone []string
}

func (w *waiter) Arm(ctx context.Context, c ArmedChange, do func(context.Context) error) (api.HostChange, string, error) {
	w.all = append(w.all, c)
	return api.HostChange{ID: "b3f1", What: c.What, Holds: c.Holds, State: api.ChangeArmed}, c.Peer.Client, do(ctx)
}

func (w *waiter) Rollback(ctx context.Context, id, why string) error {
	w.undone = append(w.undone, why)
	return w.m.Unapply(ctx, w.all[len(w.all)-1].Before)
}

// waiting is a rig whose changes wait.
func waiting(t *testing.T) (*rig, *waiter) {
	t.Helper()
	r := newRig(t)
	w := &waiter{m: r.Manager}
	r.Manager.armed = w
	return r, w
}

func (r *rig) applyArmed(text string) (api.ApplyResult, error) {
	return r.Apply(r.t.Context(), api.ApplyRequest{Files: []api.File{{Name: "f.yaml", Text: text}}, ConfirmWithin: 60, Peer: api.Peer{Client: "192.0.2.7:50022"}})
}

func (r *rig) exported() string {
	r.t.Helper()
	text, err := r.Export(r.t.Context(), "", "")
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

const (
	armedOld = "networks:\n  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}], autostart: true}\n  red: {mode: isolated, bridge: {name: red0}}\n"
	armedNew = "networks:\n  lab: {mode: route, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}], autostart: true}\n  blue: {mode: isolated, bridge: {name: blue0}, autostart: true}\nforwards:\n  web: {network: lab, protocol: tcp, listen: 8080, to: \"10.9.0.5:80\"}\n"
)

func TestWhatIsNotConfirmedIsAsBeforeTheApply(t *testing.T) {
	t.Parallel()
	r, w := waiting(t)
	r.apply(armedOld)
	before := r.exported()
	tree := r.tree()
	result, err := r.applyArmed(armedNew)
	if err != nil || result.Change == nil || result.Change.ID != "b3f1" || result.Watches != "192.0.2.7:50022" {
		t.Fatalf("%+v, %v", result, err)
	}
	if w.all[0].What != "apply forward/web, network/blue, network/lab" || !strings.Contains(strings.Join(w.all[0].Holds, " "), "network/blue") {
		t.Errorf("%+v", w.all[0])
	}
	if r.exported() == before {
		t.Fatal("nothing was applied")
	}
	for range 2 { // once more after a crash
		if err := r.Unapply(t.Context(), w.all[0].Before); err != nil {
			t.Fatal(err)
		}
		if got := r.exported(); got != before {
			t.Errorf("got\n%s\nwant\n%s", got, before)
		}
		if d := cmp.Diff(tree, r.tree()); d != "" {
			t.Errorf("the disk, -before +after:\n%s", d)
		}
	}
}

func TestNothingWaitsWhenNothingChanges(t *testing.T) {
	t.Parallel()
	r, w := waiting(t)
	r.apply(armedOld)
	if result, err := r.applyArmed(armedOld); err != nil || result.Change != nil || len(w.all) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	r.Manager.armed = nil
	if _, err := r.applyArmed(armedNew); err == nil || !strings.Contains(err.Error(), "nothing wait for a confirmation") {
		t.Errorf("error %v", err)
	}
}

func TestApplyThatCannotBeWrittenDoesNotWait(t *testing.T) {
	t.Parallel()
	r, w := waiting(t)
	r.apply(armedOld)
	before := r.exported()
	r.keep(&full{keeper: r.disk, left: 1})
	_, err := r.applyArmed(armedNew)
	if err == nil || !strings.Contains(err.Error(), "no space left") || len(w.undone) != 1 {
		t.Errorf("%v, undone %v", err, w.undone)
	}
	if got := r.exported(); got != before {
		t.Errorf("got\n%s\nwant\n%s", got, before)
	}
}
