package manage

import (
	"context"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// Policies implements api.Service.
func (m *Manager) Policies(ctx context.Context) ([]api.Policy, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	counted := map[string]api.Counter{}
	for _, ns := range v.namespaces() {
		if err := m.rules(ctx, ns, counted); err != nil {
			return nil, internal(err)
		}
	}
	list := []api.Policy{}
	for _, name := range v.all.Names("policies") {
		list = append(list, v.policy(name, counted))
	}
	return list, nil
}

// namespaces are the daemon's own and those of the routers.
func (v *view) namespaces() []string { return append([]string{""}, v.all.Names("routers")...) }

// rules adds the counters of a namespace: one policy may be asked in several.
func (m *Manager) rules(ctx context.Context, ns string, counted map[string]api.Counter) error {
	here, err := m.insight.Rules(ctx, ns)
	for name, c := range here {
		c.Packets, c.Bytes = c.Packets+counted[name].Packets, c.Bytes+counted[name].Bytes
		counted[name] = c
	}
	return err
}

func (v *view) policy(name string, counted map[string]api.Counter) api.Policy {
	p := v.all.Policies[name]
	st := api.PolicyStatus{State: api.Active, Problems: v.report.Problems["policy/"+name]}
	if len(st.Problems) > 0 {
		st.State = api.Waits
	}
	for _, part := range []struct {
		verdict string
		traffic []spec.Traffic
	}{{"deny", p.Deny}, {"reject", p.Reject}, {"allow", p.Allow}} {
		for _, t := range part.traffic {
			st.Rules = append(st.Rules, api.PolicyRule{Verdict: part.verdict, Traffic: t})
		}
	}
	countRules(counted, "policy/"+name, st.Rules)
	return api.Policy{Name: name, Spec: p, Status: st}
}

// Sets implements api.Service.
func (m *Manager) Sets(ctx context.Context) ([]api.Set, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	list := []api.Set{}
	for _, name := range v.all.Names("sets") {
		list = append(list, v.set(name))
	}
	return list, nil
}

func (v *view) set(name string) api.Set {
	s := api.Set{Name: name, Spec: v.all.Sets[name], Status: api.SetStatus{Problems: v.report.Problems["set/"+name]}}
	for _, user := range v.users("set/" + name) {
		s.Status.Users = append(s.Status.Users, strings.TrimPrefix(user, "policy "))
	}
	return s
}
