package manage

import (
	"context"
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// view is everything the answers are made of, read at one time.
type view struct {
	all, defined, running *spec.Spec
	report                reconcile.Report
}

// look reads the store and the host as they are now.
func (m *Manager) look(ctx context.Context) (*view, error) {
	r, err := m.engine.Preview(ctx, nil)
	if err != nil {
		return nil, internal(err)
	}
	s, err := m.engine.Snapshot(ctx)
	if err != nil {
		return nil, internal(err)
	}
	for owner, problems := range s.Last.Problems { // op errors, which a preview cannot know
		for _, p := range problems {
			r.Note(owner, p)
		}
	}
	v := &view{report: r}
	if v.running, err = m.store.Running(); v.running == nil {
		return nil, internal(err)
	}
	if v.defined, err = m.store.Defined(); v.defined == nil {
		return nil, internal(err)
	}
	v.all = v.running.Merge(v.defined)
	return v, nil
}

// AddPort implements api.Service. A port on an on-demand network starts it.
func (m *Manager) AddPort(ctx context.Context, req api.AddPort) (api.Port, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	all, err := m.all()
	if err != nil {
		return api.Port{}, internal(err)
	}
	if all.Networks[req.Port.Network] == nil {
		return api.Port{}, notFound("network", req.Port.Network)
	}
	if req.Name == "" {
		req.Name = freeName(req.Port.Network, all.Ports)
	}
	if all.Ports[req.Name] != nil {
		return api.Port{}, conflict("port %s exists, on network %s", req.Name, all.Ports[req.Name].Network)
	}
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{req.Name: req.Port}}}
	if err := m.complete(in, all); err != nil {
		return api.Port{}, err
	}
	if err := m.plug(ctx, req.Name, in.spec, req.Transient); err != nil {
		return api.Port{}, err
	}
	return m.port(ctx, req.Name)
}

func freeName(network string, taken map[string]*spec.Port) string {
	for i := 1; ; i++ {
		if name := fmt.Sprintf("%s-%d", network, i); taken[name] == nil {
			return name
		}
	}
}

// plug keeps the port and makes it so; when the host refuses, it is forgotten.
func (m *Manager) plug(ctx context.Context, name string, s *spec.Spec, transient bool) error {
	keep, forget := m.store.Define, m.store.Undefine
	if transient {
		keep, forget = m.store.Run, m.store.Stop
	}
	if err := keep(s); err != nil {
		return internal(err)
	}
	err := m.demand()
	var r reconcile.Report
	if err == nil {
		r, err = m.sync(ctx)
	}
	if err == nil && r.Blocked("port/"+name) {
		err = conflict("add port %s: %s", name, strings.Join(r.Problems["port/"+name], "; "))
	}
	if err != nil {
		forget("ports", name)
		m.demand()
		m.engine.Wake()
		return internal(err)
	}
	m.events.say("created", "port/"+name, "")
	return nil
}

// DeletePort implements api.Service.
func (m *Manager) DeletePort(ctx context.Context, name string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	all, err := m.all()
	if err != nil {
		return internal(err)
	}
	if all.Ports[name] == nil {
		return notFound("port", name)
	}
	return m.forget(ctx, "ports", "port", name)
}

// DeleteBridge implements api.Service.
func (m *Manager) DeleteBridge(ctx context.Context, name string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	all, err := m.all()
	if err != nil {
		return internal(err)
	}
	if all.Bridges[name] == nil {
		return notFound("bridge", name)
	}
	for network, n := range all.Networks {
		if n.Mode == spec.Bridge && n.Bridge.Name == name {
			return conflict("bridge %s is used by network %s; delete that first", name, network)
		}
	}
	return m.forget(ctx, "bridges", "bridge", name)
}

func (m *Manager) forget(ctx context.Context, folder, kind, name string) error {
	if err := m.store.Undefine(folder, name); err != nil {
		return internal(err)
	}
	if err := m.store.Stop(folder, name); err != nil {
		return internal(err)
	}
	if err := m.demand(); err != nil {
		return internal(err)
	}
	m.events.say("deleted", kind+"/"+name, "")
	r, err := m.sync(ctx)
	if err == nil && r.Failed {
		err = conflict("delete %s %s: %s", kind, name, strings.Join(r.Problems[kind+"/"+name], "; "))
	}
	return err
}

// Ports implements api.Service: the ports that are defined, then the interfaces
// that somebody else plugged into the bridge of a network.
func (m *Manager) Ports(ctx context.Context) ([]api.Port, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	list := []api.Port{}
	for _, object := range objects(&spec.Spec{Ports: v.all.Ports}) {
		list = append(list, v.port(strings.TrimPrefix(object, "port/")))
	}
	return append(list, v.adopted()...), nil
}

func (m *Manager) port(ctx context.Context, name string) (api.Port, error) {
	v, err := m.look(ctx)
	if err != nil {
		return api.Port{}, err
	}
	return v.port(name), nil
}

func (v *view) port(name string) api.Port {
	p := v.all.Ports[name]
	l, there := v.report.Have.Link("", p.Interface)
	_, up := v.report.Have[plan.Up{Link: p.Interface}.Key()]
	st := api.PortStatus{State: "down", Bridge: l.Master, MTU: l.MTU, Problems: v.report.Problems["port/"+name]}
	switch {
	case !there:
		st.State = "missing"
	case up && l.Master != "":
		st.State = "up"
	}
	if n := v.all.Networks[p.Network]; n != nil {
		for _, g := range gateways(n) {
			st.Gateways = append(st.Gateways, g.String())
		}
	}
	return api.Port{Name: name, Spec: p, Status: st}
}

func (v *view) adopted() []api.Port {
	bridges := map[string]string{}
	for name, n := range v.running.Networks {
		if n.Mode != spec.Bridge { // a host bridge also carries the host's own NICs
			bridges[n.Bridge.Name] = name
		}
	}
	var list []api.Port
	for _, o := range v.report.Have.Sorted() {
		l, ok := o.(plan.Link)
		network, ours := bridges[l.Master]
		if ok && ours && l.Owner() == "" {
			list = append(list, api.Port{Name: l.Name, Spec: &spec.Port{Network: network, Interface: l.Name, Type: spec.PortType(l.Type)},
				Status: api.PortStatus{State: "adopted", Bridge: l.Master, MTU: l.MTU}})
		}
	}
	return list
}

// Bridges implements api.Service.
func (m *Manager) Bridges(ctx context.Context) ([]api.HostBridge, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	list := []api.HostBridge{}
	for _, object := range objects(&spec.Spec{Bridges: v.all.Bridges}) {
		name := strings.TrimPrefix(object, "bridge/")
		st := api.BridgeStatus{State: "missing", Problems: v.report.Problems[object]}
		if _, there := v.report.Have.Link("", name); there {
			st.State = "up"
		}
		list = append(list, api.HostBridge{Name: name, Spec: v.all.Bridges[name], Status: st})
	}
	return list, nil
}

// Export implements api.Service.
func (m *Manager) Export(ctx context.Context, kind, name string) (string, error) {
	all, err := m.all()
	if err != nil {
		return "", internal(err)
	}
	one := &spec.Spec{}
	switch n, b, p := all.Networks[name], all.Bridges[name], all.Ports[name]; {
	case kind == "":
		one = all
	case kind == "network" && name == "":
		one.Networks = all.Networks
	case kind == "bridge" && name == "":
		one.Bridges = all.Bridges
	case kind == "port" && name == "":
		one.Ports = all.Ports
	case kind == "network" && n != nil:
		one.Networks = map[string]*spec.Network{name: n}
	case kind == "bridge" && b != nil:
		one.Bridges = map[string]*spec.HostBridge{name: b}
	case kind == "port" && p != nil:
		one.Ports = map[string]*spec.Port{name: p}
	default:
		return "", notFound(kind, name)
	}
	return string(specfile.Format(one)), nil
}
