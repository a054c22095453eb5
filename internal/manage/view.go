package manage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// view is everything the answers are made of, read at one time.
type view struct {
	world
	all     *spec.Spec
	holders spec.Holders
	report  reconcile.Report
	todo    map[string]bool           // objects with ops in the report
	refused map[int]map[string]uint64 // by guards, see Insight; read for ports only
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
	if s.Last.Failed || s.Last.Degraded { // what a preview cannot know
		for owner, problems := range s.Last.Problems {
			for _, p := range problems {
				r.Note(owner, p)
			}
		}
	}
	w, err := m.world()
	if err != nil {
		return nil, internal(err)
	}
	return viewOf(w, r), nil
}

func viewOf(w world, r reconcile.Report) *view {
	all, todo := w.all(), map[string]bool{}
	for _, op := range r.Ops {
		todo[op.Object.Owner()] = true
	}
	return &view{world: w, all: all, holders: all.Holders(), report: r, todo: todo}
}

// Networks implements api.Service.
func (m *Manager) Networks(ctx context.Context) ([]api.Network, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	list := []api.Network{}
	for _, object := range objects(&spec.Spec{Networks: v.all.Networks}) {
		list = append(list, v.network(strings.TrimPrefix(object, "network/")))
	}
	return list, nil
}

// Network implements api.Service.
func (m *Manager) Network(ctx context.Context, name string) (api.Network, error) {
	v, err := m.look(ctx)
	if err != nil {
		return api.Network{}, err
	}
	name = v.networkName(name)
	if v.all.Networks[name] == nil {
		return api.Network{}, cmp.Or(v.legible("network/"+name), notFound("network", name))
	}
	n := v.network(name)
	if v.running.Networks[name] != nil {
		n.Status.Counters = m.guests.Counters(name)
	}
	return n, nil
}

func (v *view) network(name string) api.Network {
	running, defined := v.running.Networks[name], v.defined.Networks[name]
	n := api.Network{Name: name, Spec: running}
	n.Status.State, n.Status.Persistent = api.Running, defined != nil || v.fault("network/"+name) != nil
	if running == nil {
		n.Spec, n.Status.State = defined, api.Inactive
		if defined.OnDemand {
			n.Status.State = api.OnDemand
		}
	}
	n.Status.Autostart = defined != nil && spec.Truth(defined.Autostart) && !defined.OnDemand
	if n.Status.Pending = v.differs(name); n.Status.Pending {
		n.Definition = defined
	}
	n.Status.Bridge = n.Spec.Bridge.Name
	n.Status.Ports = v.portsOf(name, n.Spec)
	n.Status.Problems = v.report.Problems["network/"+name]
	if fault := v.fault("network/" + name); fault != nil {
		n.Status.Problems = append(slices.Clone(n.Status.Problems), fmt.Sprintf("its definition cannot be read; it goes on as it runs: %v", fault))
	}
	return n
}

// differs reports whether a network that runs does so in another way than it is
// defined. Whether it starts at boot is no part of that.
func (w world) differs(name string) bool {
	if w.defined.Networks[name] == nil || w.running.Networks[name] == nil {
		return false
	}
	return !same(besideAutostart(pick(w.running, "network/"+name)), besideAutostart(pick(w.defined, "network/"+name)))
}

// portsOf names the ports of a network, and the interfaces that somebody else
// plugged into its bridge. A host bridge also carries the host's own.
func (v *view) portsOf(name string, n *spec.Network) []string {
	var ports []string
	for port, p := range v.all.Ports {
		if p.Network == name {
			ports = append(ports, port)
		}
	}
	for l := range plan.Of[plan.Link](v.report.Have) {
		if n.Mode != spec.Bridge && l.NS == "" && l.Owner() == "" && l.Master == n.Bridge.Name && l.Master != "" && !v.holds(l.Name) {
			ports = append(ports, l.Name)
		}
	}
	return union(ports, nil)
}

// Ports implements api.Service: the ports that are defined, then the interfaces
// that somebody else plugged into the bridge of a network.
func (m *Manager) Ports(ctx context.Context) ([]api.Port, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	if v.refused, err = m.insight.Guarded(ctx); err != nil {
		return nil, internal(err)
	}
	list := []api.Port{}
	for _, object := range objects(&spec.Spec{Ports: v.all.Ports}) {
		list = append(list, v.port(strings.TrimPrefix(object, "port/")))
	}
	list = append(list, v.adopted()...)
	return list, m.tally(ctx, v.report.Have, list)
}

func (m *Manager) port(ctx context.Context, name string) (api.Port, error) {
	v, err := m.look(ctx)
	if err != nil {
		return api.Port{}, err
	}
	if v.all.Ports[name] == nil { // somebody removed the file meanwhile
		return api.Port{}, notFound("port", name)
	}
	if v.refused, err = m.insight.Guarded(ctx); err != nil {
		return api.Port{}, internal(err)
	}
	return v.port(name), nil
}

func (v *view) port(name string) api.Port {
	p := v.all.Ports[name]
	l, there := v.report.Have.Link("", p.Interface)
	_, up := v.report.Have[plan.Up{Link: p.Interface}.Key()]
	st := api.PortStatus{State: "down", Bridge: l.Master, MTU: l.MTU, Problems: v.report.Problems["port/"+name]}
	switch {
	case !there || (l.Owner() == "") != (p.Held == spec.HeldOutside): // or a stranger has the name
		st.State, st.Bridge, st.MTU = "missing", "", 0
	case up && (l.Master != "" || l.Type == string(spec.Macvtap)):
		st.State = "up"
	}
	st.Open = l.Open && st.State != "missing"
	if there && l.Owner() != "" {
		st.NIC, st.Node = l.Lower, l.Node()
	}
	for _, holder := range v.holders[p.Network] {
		for _, s := range holder.Subnets {
			st.Gateways = append(st.Gateways, s.Address.String())
		}
	}
	v.guard(&st, p.Network, p, l)
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
		if ok && ours && l.NS == "" && l.Owner() == "" && !v.holds(l.Name) {
			st := api.PortStatus{State: "adopted", Bridge: l.Master, MTU: l.MTU, Open: l.Open}
			v.guard(&st, network, nil, l)
			list = append(list, api.Port{Name: l.Name, Spec: &spec.Port{Network: network, Interface: l.Name, Type: spec.PortType(l.Type)}, Status: st})
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
	w, err := m.world()
	if err != nil {
		return "", internal(err)
	}
	k, all := kindOf(kind), w.all()
	switch {
	case kind == "":
		return string(specfile.Format(lasting(all))), nil
	case k.name == "":
		return "", errKind(kind)
	case name == "":
		one := &spec.Spec{}
		k.put(one, lasting(all))
		return string(specfile.Format(one)), nil
	}
	one := k.pick(all, w.nameOf(k, name))
	if one.Empty() {
		return "", cmp.Or(w.legible(k.word()+"/"+name), notFound(kind, name))
	}
	return string(specfile.Format(one)), nil
}

// lasting is a spec without the ports that programs hold: they are not written in files.
func lasting(all *spec.Spec) *spec.Spec {
	s := *all
	s.Ports = map[string]*spec.Port{}
	for name, p := range all.Ports {
		if p.Held == "" {
			s.Ports[name] = p
		}
	}
	return &s
}
