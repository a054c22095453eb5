package manage

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
)

// Apply implements api.Service. The steps: read and check the files, compare with
// what is defined, then either preview, or store and let the loop make it so.
func (m *Manager) Apply(ctx context.Context, req api.ApplyRequest) (api.ApplyResult, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	in := read(req.Files)
	all, err := m.all()
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	if err := m.complete(in, all); err != nil {
		return api.ApplyResult{}, err
	}
	target, err := m.target(in)
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	if err := m.free(ctx, in, func(name string) bool { return target.news(name, in.spec.Networks[name]) }); err != nil {
		return api.ApplyResult{}, err
	}
	changes := target.changes(in.spec)
	r, err := m.engine.Preview(ctx, target.live)
	if err != nil {
		return api.ApplyResult{}, internal(err)
	}
	result := api.ApplyResult{Objects: changes, Ops: plan.Lines(r.Ops), Disturbs: plan.Disturbs(r.Ops)}
	if req.DryRun {
		return result, nil
	}
	if err := m.keep(in, target, changes); err != nil {
		return result, internal(err)
	}
	r, err = m.sync(ctx)
	result.Ops = plan.Lines(r.Ops)
	mine := objects(in.spec)
	tell(&result, r, func(owner string) bool { return owner == "host" || slices.Contains(mine, owner) })
	return result, err
}

// target is what an apply leads to.
type target struct {
	defined *spec.Spec // definitions before
	running *spec.Spec // run marks before
	live    *spec.Spec // everything on the host after
	run     *spec.Spec // networks of the input that run after
}

// target works out what runs when the input is in force: its networks that are
// to start by themselves, that run already, or that have a port.
func (m *Manager) target(in *input) (*target, error) {
	defined, err := m.store.Defined()
	if defined == nil {
		return nil, err
	}
	running, err := m.store.Running()
	if err != nil {
		return nil, err
	}
	t := &target{defined: defined, running: running, run: &spec.Spec{Networks: map[string]*spec.Network{}}}
	ports := (&spec.Spec{Ports: defined.Ports}).Merge(&spec.Spec{Ports: running.Ports}).Merge(&spec.Spec{Ports: in.spec.Ports}).Ports
	for name, n := range in.spec.Networks {
		_, runs := running.Networks[name]
		if runs && !n.OnDemand || wantsRun(name, n, ports) {
			t.run.Networks[name] = n
		}
	}
	t.live = (&spec.Spec{Bridges: defined.Bridges, Ports: ports}).
		Merge(running).Merge(&spec.Spec{Bridges: in.spec.Bridges, Ports: in.spec.Ports}).Merge(t.run)
	for name, n := range defined.Networks { // on demand, not in the input, but with a port in it
		if _, given := in.spec.Networks[name]; !given && n.OnDemand && wantsRun(name, n, ports) {
			t.live.Networks = (&spec.Spec{Networks: t.live.Networks}).Merge(&spec.Spec{Networks: map[string]*spec.Network{name: n}}).Networks
		}
	}
	for name, n := range in.spec.Networks {
		if _, runs := t.run.Networks[name]; !runs && n.OnDemand {
			delete(t.live.Networks, name)
		}
	}
	return t, nil
}

func wantsRun(name string, n *spec.Network, ports map[string]*spec.Port) bool {
	if !n.OnDemand {
		return spec.Truth(n.Autostart)
	}
	for _, p := range ports {
		if p.Network == name {
			return true
		}
	}
	return false
}

// news reports whether the network is to run with subnets it does not run with
// now, so that they must be free.
func (t *target) news(name string, n *spec.Network) bool {
	_, runs := t.run.Networks[name]
	old := t.running.Networks[name]
	return runs && (old == nil || !reflect.DeepEqual(old.Subnets, n.Subnets))
}

// changes tells, for every object of the input, what happens to its definition.
// A network that is defined as before but does not run yet is started.
func (t *target) changes(in *spec.Spec) []api.Change {
	var changes []api.Change
	for _, object := range objects(in) {
		kind, name, _ := strings.Cut(object, "/")
		verb := compare(pick(t.defined, kind, name), pick(in, kind, name))
		if run := t.run.Networks[name]; kind == "network" && run != nil && verb == "unchanged" {
			verb = compare(t.running.Networks[name], run)
			if verb == "created" {
				verb = "started"
			}
		}
		changes = append(changes, api.Change{Object: object, Verb: verb})
	}
	return changes
}

// pick returns the object of that kind and name, nil when there is none.
func pick(s *spec.Spec, kind, name string) any {
	switch kind {
	case "network":
		return s.Networks[name]
	case "bridge":
		return s.Bridges[name]
	}
	return s.Ports[name]
}

func compare(old, now any) string {
	switch {
	case reflect.ValueOf(old).IsNil():
		return "created"
	case reflect.DeepEqual(old, now):
		return "unchanged"
	}
	return "changed"
}

// keep writes what changed to the store.
func (m *Manager) keep(in *input, t *target, changes []api.Change) error {
	if err := m.store.Define(in.spec); err != nil {
		return err
	}
	if err := m.store.Run(t.run); err != nil {
		return err
	}
	for _, c := range changes {
		if c.Verb != "unchanged" {
			m.events.say(c.Verb, c.Object, "applied")
		}
	}
	return m.demand()
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
	result := api.ApplyResult{Ops: plan.Lines(r.Ops), Disturbs: plan.Disturbs(r.Ops)}
	tell(&result, r, func(string) bool { return true })
	return result, nil
}

// Orphans implements api.Service.
func (m *Manager) Orphans(ctx context.Context) ([]api.Orphan, error) {
	r, err := m.engine.Preview(ctx, nil)
	return orphans(r.Ops), internal(err)
}

// Collect implements api.Service.
func (m *Manager) Collect(ctx context.Context) ([]api.Orphan, error) {
	r, err := m.engine.Collect(ctx)
	if err == nil && r.Failed {
		err = conflict("not everything could be removed: %s", strings.Join(r.Problems["host"], "; "))
	}
	return orphans(r.Ops), internal(err)
}

func orphans(ops []plan.Op) []api.Orphan {
	list := []api.Orphan{}
	for _, op := range ops {
		if op.Verb == plan.Del {
			list = append(list, api.Orphan{Object: op.Object.String()})
		}
	}
	return list
}
