package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// change is what happens to one object in one half of the store.
type change struct {
	half
	object   string     // network/lab
	old, now *spec.Spec // with the object, or empty
	within   bool       // of a part only, which is none of the events of libvirt's lifecycle
}

// half is the definitions or the run marks.
type half struct {
	marks bool
	put   func(*spec.Spec) error
	drop  func(kind, name string) error
}

// changes lists what makes one world the other, definitions first.
func (m *Manager) changes(before, after world) []change {
	defined, marks := half{false, m.store.Define, m.store.Undefine}, half{true, m.store.Run, m.store.Stop}
	return append(defined.changes(before.defined, after.defined), marks.changes(before.running, after.running)...)
}

func (h half) changes(old, now *spec.Spec) []change {
	var list []change
	for _, object := range differ(old, now) {
		if c := (change{half: h, object: object, old: pick(old, object), now: pick(now, object)}); !same(c.old, c.now) {
			list = append(list, c)
		}
	}
	return list
}

// differ names the objects that are not one and the same, sorted.
func differ(old, now *spec.Spec) []string {
	var list []string
	for _, k := range kinds {
		for _, name := range k.differing(old, now) {
			list = append(list, k.word()+"/"+name)
		}
	}
	slices.Sort(list)
	return list
}

// same reports whether two specs mean the same: an empty list is no list.
func same(a, b *spec.Spec) bool {
	return a.Empty() == b.Empty() && (reflect.DeepEqual(a, b) || bytes.Equal(specfile.Format(a), specfile.Format(b)))
}

// verb tells what a change is to people.
func (c change) verb() string {
	network := strings.HasPrefix(c.object, "network/")
	switch {
	case !c.old.Empty() && !c.now.Empty():
		return "changed"
	case c.marks && network && c.old.Empty():
		return "started"
	case c.marks && network:
		return "stopped"
	case c.old.Empty():
		return "created"
	}
	return "deleted"
}

// commit writes changes to the store: all of them, or none. The loop looks before
// or after: half of the changes might take a guest's cable out for a moment.
func (m *Manager) commit(list []change) error {
	m.storing.Lock()
	defer m.storing.Unlock()
	done := 0
	for _, s := range steps(list) {
		done += len(s)
		if err := s.do(); err != nil {
			return errors.Join(internal(err), undo(list[:done]))
		}
	}
	return nil
}

// revert takes back changes that were committed.
func (m *Manager) revert(list []change) error {
	m.storing.Lock()
	defer m.storing.Unlock()
	return undo(list)
}

// forgetLeases drops the leases of networks that are no more, when their guests are
// not answered any more. A network that only stops keeps them.
func (m *Manager) forgetLeases(list []change) {
	list = slices.DeleteFunc(slices.Clone(list), func(c change) bool { return !strings.HasPrefix(c.object, "network/") || !c.now.Empty() })
	if len(list) == 0 {
		return
	}
	w, err := m.world()
	if err != nil || w.unreadable != nil {
		return
	}
	all := w.all().Networks
	for _, c := range list {
		if name := strings.TrimPrefix(c.object, "network/"); all[name] == nil {
			m.guests.Forget(name)
		}
	}
}

// forgetGone drops the leases of networks that went while no daemon ran.
func (m *Manager) forgetGone(w world) {
	all := w.all().Networks
	for _, name := range m.guests.Networks() {
		if w.unreadable == nil && all[name] == nil {
			m.guests.Forget(name)
		}
	}
}

// write commits and announces what makes one world the other, where the host has
// nothing to do.
func (m *Manager) write(before, after world) error { return m.record(m.changes(before, after)) }

// record does the same with changes that are known.
func (m *Manager) record(list []change) error {
	if err := m.commit(list); err != nil {
		return err
	}
	m.announce(list)
	m.forgetLeases(list)
	return nil
}

// enact writes changes and makes them so. What the host refuses stays wanted and
// is tried again.
func (m *Manager) enact(ctx context.Context, list []change) (reconcile.Report, error) {
	if err := m.commit(list); err != nil {
		return reconcile.Report{}, err
	}
	r, err := m.sync(ctx)
	m.announce(list) // by now what is told to have started runs
	m.forgetLeases(list)
	return r, err
}

// remove does the same where something goes, and tells when the host does not let
// go of it.
func (m *Manager) remove(ctx context.Context, doing string, before, after world) error {
	list := m.changes(before, after)
	r, err := m.enact(ctx, list)
	if err != nil {
		return err
	}
	return m.refusal(ctx, r, doing, list)
}

// attempt does the same for something new: when the host refuses it, all is put
// back as it was.
func (m *Manager) attempt(ctx context.Context, list []change, doing string) (reconcile.Report, error) {
	if len(list) == 0 {
		return reconcile.Report{}, nil
	}
	if err := m.commit(list); err != nil {
		return reconcile.Report{}, err
	}
	r, err := m.sync(ctx)
	if err == nil {
		err = m.refusal(ctx, r, doing, list)
	}
	if err == nil {
		m.announce(list)
		return r, nil
	}
	err = errors.Join(err, m.revert(list))
	m.sync(ctx) // when that fails, the loop does it
	return r, err
}

// refusal tells why a pass did not make changes so; nil when it did. Part of them
// may not even have been tried, because something else failed that they need.
func (m *Manager) refusal(ctx context.Context, r reconcile.Report, doing string, list []change) error {
	var why []string
	refused := false
	for _, c := range list {
		if r.Blocked(c.object) {
			refused, why = true, append(why, r.Problems[c.object]...)
		}
	}
	if r.Failed && !refused {
		left, err := m.engine.Preview(ctx, nil)
		refused, why = err != nil || concerns(left.Ops, list), told(r)
	}
	switch err := fmt.Errorf("%s: %s", doing, strings.Join(why, "; ")); {
	case !refused:
		return nil
	case r.Failed:
		return internal(err)
	default:
		return conflict("%v", err)
	}
}

// concerns reports whether an op serves one of the changed objects.
func concerns(ops []plan.Op, list []change) bool {
	return slices.ContainsFunc(ops, func(op plan.Op) bool {
		return slices.ContainsFunc(list, func(c change) bool { return c.object == op.Object.Owner() })
	})
}

// sync makes a pass and returns what it did, errors of the kernel included. When
// nobody waits for it any more, the loop makes it by itself.
func (m *Manager) sync(ctx context.Context) (reconcile.Report, error) {
	r, err := m.engine.Sync(ctx)
	if err != nil {
		m.engine.Wake()
	}
	return r, internal(err)
}
