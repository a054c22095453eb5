package manage

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// AddNetwork implements api.Service.
func (m *Manager) AddNetwork(ctx context.Context, req api.AddNetwork) (api.Network, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	all, err := m.all()
	if err != nil {
		return api.Network{}, internal(err)
	}
	if all.Networks[req.Name] != nil {
		return api.Network{}, conflict("network %s exists; change it with 'kvmnet net edit %s' or 'kvmnet apply -f'", req.Name, req.Name)
	}
	if err := m.choose(ctx, req, all); err != nil {
		return api.Network{}, err
	}
	in := &input{spec: &spec.Spec{Networks: map[string]*spec.Network{req.Name: req.Network}}}
	if err := m.complete(in, all); err != nil {
		return api.Network{}, err
	}
	if err := m.free(ctx, in, func(string) bool { return req.Start }); err != nil {
		return api.Network{}, err
	}
	if err := m.store.Define(in.spec); err != nil {
		return api.Network{}, internal(err)
	}
	m.events.say("created", "network/"+req.Name, "")
	if req.Start && !in.spec.Networks[req.Name].OnDemand {
		if err := m.start(ctx, req.Name, in.spec.Networks[req.Name]); err != nil {
			return api.Network{}, err
		}
	}
	return m.Network(ctx, req.Name)
}

// choose gives the network free prefixes where the request asks for them.
func (m *Manager) choose(ctx context.Context, req api.AddNetwork, all *spec.Spec) error {
	if !req.Choose && !req.IPv6 {
		return nil
	}
	have, err := m.engine.Have(ctx)
	if err != nil {
		return internal(err)
	}
	taken := append(plan.TakenBy(have).Prefixes(), subnets(all)...)
	if req.Choose {
		p, err := spec.FreeSubnet(taken)
		if err != nil {
			return conflict("choose a subnet for %s: %v", req.Name, err)
		}
		req.Network.Subnets = append(req.Network.Subnets, spec.Subnet{Address: p})
	}
	if req.IPv6 {
		p, err := spec.FreeSubnet6(req.Name+newUUID(), taken)
		if err != nil {
			return conflict("choose an IPv6 subnet for %s: %v", req.Name, err)
		}
		req.Network.Subnets = append(req.Network.Subnets, spec.Subnet{Address: p})
	}
	return nil
}

// Define implements api.Service.
func (m *Manager) Define(ctx context.Context, f api.File, transient bool) (api.Network, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	in := read([]api.File{f})
	all, err := m.all()
	if err != nil {
		return api.Network{}, internal(err)
	}
	if err := m.complete(in, all); err != nil {
		return api.Network{}, err
	}
	name, err := only(in.spec, f.Name)
	if err != nil {
		return api.Network{}, err
	}
	if transient {
		err = m.create(ctx, name, in)
	} else if err = m.store.Define(in.spec); err == nil {
		m.events.say("created", "network/"+name, "defined")
	}
	if err != nil {
		return api.Network{}, internal(err)
	}
	return m.Network(ctx, name)
}

// only returns the name of the one network of a file.
func only(s *spec.Spec, file string) (string, error) {
	if len(s.Networks) != 1 || len(s.Bridges)+len(s.Ports) > 0 {
		return "", invalid(fmt.Sprintf("%s must hold exactly one network (and nothing else); use 'kvmnet apply -f' for more", file))
	}
	for name := range s.Networks {
		return name, nil
	}
	return "", nil
}

// create starts a network without a definition. One that runs keeps running;
// a persistent one is not made transient by this.
func (m *Manager) create(ctx context.Context, name string, in *input) error {
	running, err := m.store.Running()
	if err != nil {
		return err
	}
	if running.Networks[name] != nil {
		return conflict("network %s runs already", name)
	}
	if err := m.free(ctx, in, func(string) bool { return true }); err != nil {
		return err
	}
	return m.start(ctx, name, in.spec.Networks[name])
}

// Start implements api.Service.
func (m *Manager) Start(ctx context.Context, name string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	n, err := m.defined(name)
	if err != nil {
		return err
	}
	running, err := m.store.Running()
	if err != nil {
		return internal(err)
	}
	if running.Networks[name] != nil {
		return conflict("network %s runs already", name)
	}
	in := &input{spec: &spec.Spec{Networks: map[string]*spec.Network{name: n}}}
	if err := m.free(ctx, in, func(string) bool { return true }); err != nil {
		return err
	}
	return m.start(ctx, name, n)
}

// start marks a network as running and makes it so. When the host refuses, the
// mark is taken back, so that nothing half-made stays.
func (m *Manager) start(ctx context.Context, name string, n *spec.Network) error {
	if err := m.store.Run(&spec.Spec{Networks: map[string]*spec.Network{name: n}}); err != nil {
		return internal(err)
	}
	r, err := m.sync(ctx)
	if err == nil && r.Blocked("network/"+name) {
		err = conflict("start network %s: %s", name, strings.Join(r.Problems["network/"+name], "; "))
	}
	if err != nil {
		m.store.Stop("networks", name)
		m.engine.Wake()
		return err
	}
	m.events.say("started", "network/"+name, "")
	return nil
}

// Stop implements api.Service.
func (m *Manager) Stop(ctx context.Context, name string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	running, err := m.store.Running()
	if err != nil {
		return internal(err)
	}
	if running.Networks[name] == nil {
		if _, err := m.defined(name); err != nil {
			return err
		}
		return conflict("network %s does not run", name)
	}
	return m.stop(ctx, name)
}

func (m *Manager) stop(ctx context.Context, name string) error {
	if err := m.store.Stop("networks", name); err != nil {
		return internal(err)
	}
	r, err := m.sync(ctx)
	if err == nil && r.Failed {
		err = conflict("stop network %s: %s", name, strings.Join(r.Problems["network/"+name], "; "))
	}
	m.events.say("stopped", "network/"+name, "")
	return err
}

// Undefine implements api.Service. A network that runs goes on as a transient
// one, as libvirt's does.
func (m *Manager) Undefine(ctx context.Context, name string) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if _, err := m.defined(name); err != nil {
		return err
	}
	if err := m.store.Undefine("networks", name); err != nil {
		return internal(err)
	}
	m.events.say("deleted", "network/"+name, "undefined")
	return nil
}

// SetAutostart implements api.Service.
func (m *Manager) SetAutostart(ctx context.Context, name string, on bool) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	n, err := m.defined(name)
	if err != nil {
		return err
	}
	set := *n
	set.Autostart = &on
	if err := m.store.Define(&spec.Spec{Networks: map[string]*spec.Network{name: &set}}); err != nil {
		return internal(err)
	}
	// Whether a network starts at boot says nothing about how it runs: keep the
	// two copies from looking different.
	running, err := m.store.Running()
	if err != nil || running.Networks[name] == nil {
		return internal(err)
	}
	live := *running.Networks[name]
	live.Autostart = &on
	return internal(m.store.Run(&spec.Spec{Networks: map[string]*spec.Network{name: &live}}))
}

// defined returns a network's definition.
func (m *Manager) defined(name string) (*spec.Network, error) {
	defined, unreadable := m.store.Defined()
	if defined == nil {
		return nil, internal(unreadable)
	}
	if n := defined.Networks[name]; n != nil {
		return n, nil
	}
	running, err := m.store.Running()
	if err == nil && running.Networks[name] != nil {
		return nil, conflict("network %s is transient: it has no definition", name)
	}
	if unreadable != nil {
		return nil, conflict("no network named %s can be read: %v", name, unreadable)
	}
	return nil, notFound("network", name)
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
	if v.all.Networks[name] == nil {
		return api.Network{}, notFound("network", name)
	}
	return v.network(name), nil
}

func (v *view) network(name string) api.Network {
	running, defined := v.running.Networks[name], v.defined.Networks[name]
	n := api.Network{Name: name, Spec: running}
	n.Status.State, n.Status.Persistent = api.Running, defined != nil
	if running == nil {
		n.Spec, n.Status.State = defined, api.Inactive
		if defined.OnDemand {
			n.Status.State = api.OnDemand
		}
	}
	n.Status.Autostart = defined != nil && spec.Truth(defined.Autostart) && !defined.OnDemand
	n.Status.Pending = defined != nil && running != nil && !reflect.DeepEqual(running, defined)
	n.Status.Bridge = n.Spec.Bridge.Name
	n.Status.Ports = v.portsOf(name, n.Spec)
	n.Status.Problems = v.report.Problems["network/"+name]
	return n
}

// portsOf names the ports of a network, and the interfaces that somebody else
// plugged into its bridge.
func (v *view) portsOf(name string, n *spec.Network) []string {
	var ports []string
	for port, p := range v.all.Ports {
		if p.Network == name {
			ports = append(ports, port)
		}
	}
	for l := range plan.Of[plan.Link](v.report.Have) {
		if l.Owner() == "" && l.Master == n.Bridge.Name && l.Master != "" {
			ports = append(ports, l.Name)
		}
	}
	return union(ports, nil)
}

// gateways lists the gateway addresses of a network with their prefix lengths.
func gateways(n *spec.Network) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range n.Subnets {
		list = append(list, s.Address)
	}
	return list
}
