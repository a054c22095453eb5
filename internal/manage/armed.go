package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/specfile"
)

// Armed has changes wait for a confirmation, and Unapply called for those that get
// none.
type Armed interface {
	// Arm makes a change when the way back is on disk, and tells whose new connection
	// confirms it.
	Arm(ctx context.Context, c ArmedChange, do func(context.Context) error) (change api.HostChange, watches string, err error)
	Rollback(ctx context.Context, id, why string) error
}

// ArmedChange is what waits.
type ArmedChange struct {
	What   string   // for people
	Holds  []string // objects
	Within time.Duration
	Peer   api.Peer
	Before []byte // for Unapply
}

// former is what an object was in one half of the store.
type former struct {
	Marks  bool   `json:"marks,omitempty"`
	Object string `json:"object"`
	YAML   string `json:"yaml,omitempty"` // "" = it was not there
}

// enactAs does what enact does, and has it wait for a confirmation if that was asked
// for. What could not be written is rolled back by undo, which the caller calls when it
// holds no lock any more.
func (m *Manager) enactAs(ctx context.Context, req api.ApplyRequest, list []change, result *api.ApplyResult) (r reconcile.Report, undo func() error, err error) {
	undo = func() error { return nil }
	switch {
	case req.ConfirmWithin == 0 || len(list) == 0:
		r, err = m.enact(ctx, list)
		return r, undo, err
	case m.armed == nil:
		return r, undo, conflict("this daemon has nothing wait for a confirmation")
	}
	before, err := json.Marshal(formers(list))
	if err != nil {
		return r, undo, internal(err)
	}
	c := ArmedChange{What: whatChanges(list), Within: time.Duration(req.ConfirmWithin) * time.Second, Peer: req.Peer, Before: before}
	for _, one := range list {
		c.Holds = append(c.Holds, one.object)
	}
	var enacted error
	change, watches, err := m.armed.Arm(ctx, c, func(ctx context.Context) error { r, enacted = m.enact(ctx, list); return nil })
	if err != nil {
		return r, undo, err
	}
	result.Change, result.Watches = &change, watches
	if enacted != nil {
		undo = func() error { return m.armed.Rollback(context.WithoutCancel(ctx), change.ID, enacted.Error()) }
	}
	return r, undo, enacted
}

func formers(list []change) (all []former) {
	for _, c := range list {
		f := former{Marks: c.marks, Object: c.object}
		if !c.old.Empty() {
			f.YAML = string(specfile.Format(c.old))
		}
		all = append(all, f)
	}
	return all
}

// whatChanges names a few objects.
func whatChanges(list []change) string {
	var words []string
	seen := map[string]bool{}
	for _, c := range list {
		if !seen[c.object] {
			words = append(words, c.object)
		}
		seen[c.object] = true
	}
	if len(words) > 3 {
		words = append(words[:3], fmt.Sprintf("%d more", len(words)-3))
	}
	return "apply " + strings.Join(words, ", ")
}

// Unapply puts objects back to what they were before an apply that nobody confirmed.
func (m *Manager) Unapply(ctx context.Context, data []byte) error {
	var list []former
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("read what there was before: %w", err)
	}
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	after := before.clone()
	for _, f := range list {
		if err := f.restore(after); err != nil {
			return err
		}
	}
	_, err = m.enact(ctx, m.changes(before, after)) // what the host refuses the loop tries again
	return err
}

func (f former) restore(w world) error {
	half := w.defined
	if f.Marks {
		half = w.running
	}
	k, name := cut(f.Object)
	k.drop(half, name)
	if f.YAML == "" {
		return nil
	}
	old, problems := specfile.Parse(f.Object, []byte(f.YAML))
	if len(problems) > 0 {
		return fmt.Errorf("read what %s was: %s", f.Object, problems[0])
	}
	merge(half, old.Spec)
	return nil
}
