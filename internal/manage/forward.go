package manage

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Forwards implements api.Service.
func (m *Manager) Forwards(ctx context.Context) ([]api.Forward, error) {
	v, err := m.look(ctx)
	if err != nil || len(v.all.Forwards) == 0 {
		return []api.Forward{}, err
	}
	rows, hits := v.rows(), map[string]map[string]api.Counter{}
	list := []api.Forward{}
	for _, name := range v.all.Names("forwards") {
		f := v.forward(name)
		ns := f.Status.Router
		if hits[ns] == nil {
			if hits[ns], err = m.insight.Hits(ctx, ns); err != nil {
				return nil, internal(err)
			}
		}
		for _, id := range rows["forward/"+name] {
			f.Status.Hits = plus(f.Status.Hits, hits[ns], id)
		}
		list = append(list, f)
	}
	return list, nil
}

// rows are the elements by which forwards lead, by the forward: their IDs.
func (v *view) rows() map[string][]string {
	rows := map[string][]string{}
	for e := range plan.Of[plan.Element](v.report.Want) {
		if strings.HasPrefix(e.Owner(), "forward/") && !strings.HasPrefix(e.Map, "floating_source") {
			rows[e.Owner()] = append(rows[e.Owner()], e.Key().ID)
		}
	}
	return rows
}

func (v *view) forward(name string) api.Forward {
	f := v.all.Forwards[name]
	router := listener(v.holders, f)
	st := api.ForwardStatus{State: api.Active, Router: router, Outside: v.outside(f, router), Problems: v.report.Problems["forward/"+name]}
	for _, a := range v.targets(f) {
		st.Targets = append(st.Targets, spec.Target{Addr: a, Port: f.To.Port}.String())
	}
	switch missing := v.missing(f, router); {
	case missing != "":
		st.State = api.Waits + " for " + missing
	case v.pending("forward/" + name):
		st.State = api.Waits
	}
	return api.Forward{Name: name, Spec: f, Status: st}
}

// pending reports whether something is still to be done for an object.
func (v *view) pending(object string) bool {
	return v.report.Blocked(object) || v.todo[object]
}

// targets are the addresses to which a forward leads now.
func (v *view) targets(f *spec.Forward) []netip.Addr {
	if f.To.Addr.IsValid() {
		return []netip.Addr{f.To.Addr}
	}
	return v.report.Facts.Guests[f.Network][strings.ToLower(f.To.Name)]
}

// missing names what a forward needs and is not there.
func (v *view) missing(f *spec.Forward, router string) string {
	_, made := v.report.Have[plan.Netns{Name: router}.Key()]
	switch {
	case v.running.Networks[f.Network] == nil:
		return "network " + f.Network
	case router != "" && !made:
		return "router " + router
	case len(v.targets(f)) == 0:
		return f.To.Name
	}
	return ""
}

// outside lists where a forward waits: at the addresses of its router's uplinks, if
// it is not said.
func (v *view) outside(f *spec.Forward, router string) []string {
	switch {
	case f.Floating.IsValid():
		return []string{f.Floating.String()}
	case f.Listen.Addr.IsValid():
		return []string{f.Listen.String()}
	}
	var list []string
	if r := v.all.Routers[router]; r != nil {
		for name := range r.Ways() {
			for _, p := range v.routerLink(router, name).Addresses {
				list = append(list, spec.Listen{Addr: p.Addr(), Ports: f.Listen.Ports}.String())
			}
		}
	}
	if len(list) == 0 {
		return []string{fmt.Sprintf("*:%s", f.Listen.Ports)}
	}
	slices.Sort(list)
	return list
}
