package manage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
)

// Apply implements api.Service. The steps: read and check the files, make the
// world in which they are in force, then either preview, or store it and let the
// loop make it so.
func (m *Manager) Apply(ctx context.Context, req api.ApplyRequest) (result api.ApplyResult, err error) {
	undo := func() error { return nil }
	defer func() {
		if fault := undo(); fault != nil {
			err = errors.Join(err, fault)
		}
	}()
	before, err := m.begin(ctx)
	if err != nil {
		return api.ApplyResult{}, err
	}
	defer m.changing.Unlock()
	in := read(req.Files)
	if err := m.dress(ctx, before, in); err != nil {
		return api.ApplyResult{}, err
	}
	if err := in.complete(before); err != nil {
		return api.ApplyResult{}, err
	}
	after := before.applied(in.spec)
	if err := m.fits(ctx, in, before, after); err != nil {
		return api.ApplyResult{}, err
	}
	r, err := m.engine.Preview(ctx, after.live())
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	changes := m.changes(before, after)
	result = api.ApplyResult{Objects: verbs(in.spec, changes), Ops: lines(r), Disturbs: plan.Disturbs(r.Ops)}
	if !req.DryRun {
		if r, undo, err = m.enactAs(ctx, req, changes, &result); r.Failed || len(lines(r)) > 0 { // else the loop was faster, and did what was foreseen
			result.Ops = lines(r)
		}
	}
	mine := map[string]bool{"host": true}
	for _, object := range objects(in.spec) {
		mine[object] = true
	}
	tell(&result, r, func(owner string) bool { return mine[owner] })
	result.Notes = in.notes
	return result, err
}

// lines prints what a pass does to the kernel, and then what it serves.
func lines(r reconcile.Report) []string { return append(plan.Lines(r.Ops), r.Serves()...) }

// verbs tells, for every object of the input, what happens to it. A network that
// is defined as before but does not run yet is started.
func verbs(in *spec.Spec, changes []change) []api.Change {
	first := map[string]string{}
	for _, c := range changes {
		first[c.object] = cmp.Or(first[c.object], c.verb())
	}
	var list []api.Change
	for _, object := range objects(in) {
		list = append(list, api.Change{Object: object, Verb: cmp.Or(first[object], "unchanged")})
	}
	return list
}

// tell puts into the result what a report says of some objects: what failed, and
// what only waits.
func tell(result *api.ApplyResult, r reconcile.Report, about func(owner string) bool) {
	result.Problems, result.Waits = map[string]string{}, map[string]string{}
	for owner, list := range r.Problems {
		switch text := strings.Join(list, "; "); {
		case !about(owner):
		case r.Blocked(owner):
			result.Problems[owner] = text
		default:
			result.Waits[owner] = text
		}
	}
}

// Drift implements api.Service.
func (m *Manager) Drift(ctx context.Context) (api.ApplyResult, error) {
	r, err := m.engine.Preview(ctx, nil)
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	w, err := m.world()
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	result := api.ApplyResult{Ops: lines(r), Disturbs: plan.Disturbs(r.Ops), Next: w.next()}
	tell(&result, r, func(string) bool { return true })
	return result, nil
}

// Orphans implements api.Service.
func (m *Manager) Orphans(ctx context.Context) ([]api.Orphan, error) {
	r, err := m.engine.Preview(ctx, nil)
	if err != nil {
		return []api.Orphan{}, internal(err)
	}
	idle, err := m.idlePorts(r.Have)
	return append(orphans(r.Ops), idle...), internal(err)
}

// Collect implements api.Service.
func (m *Manager) Collect(ctx context.Context) ([]api.Orphan, error) {
	idle, err := m.collectIdle(ctx)
	if err != nil {
		return idle, err
	}
	r, err := m.engine.Collect(ctx)
	if err == nil && r.Failed {
		err = fmt.Errorf("not everything could be removed: %s", strings.Join(told(r), "; "))
	}
	return append(orphans(r.Ops), idle...), internal(err)
}

func orphans(ops []plan.Op) []api.Orphan {
	list := []api.Orphan{}
	for _, op := range ops {
		if op.Verb != plan.Del {
			continue
		}
		where := ""
		if ns := op.Object.Key().NS; ns != "" {
			where = "netns " + ns + " "
		}
		list = append(list, api.Orphan{Object: where + op.Object.String()})
	}
	return list
}
