package manage

import (
	"context"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// AddNetwork implements api.Service. A network that the host refuses to start
// stays defined.
func (m *Manager) AddNetwork(ctx context.Context, req api.AddNetwork) (api.Network, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Network{}, err
	}
	defer m.changing.Unlock()
	if before.all().Networks[req.Name] != nil {
		return api.Network{}, conflict("network %s exists; change it with 'kvmnet net edit %s' or 'kvmnet apply -f'", req.Name, req.Name)
	}
	if err := m.choose(ctx, req, before); err != nil {
		return api.Network{}, err
	}
	if req.DHCP {
		serveAddresses(req.Network)
	}
	in := &input{spec: &spec.Spec{Networks: map[string]*spec.Network{req.Name: req.Network}}}
	if err := in.complete(before); err != nil {
		return api.Network{}, err
	}
	after := before.clone()
	merge(after.defined, in.spec)
	started := after.clone()
	if n := in.spec.Networks[req.Name]; req.Start && !n.OnDemand {
		started.running.Networks[req.Name] = n
	}
	started.demand()
	if err := m.fits(ctx, in, before, started); err != nil {
		return api.Network{}, err
	}
	if err := m.write(before, after); err != nil {
		return api.Network{}, err
	}
	if _, err := m.attempt(ctx, m.changes(after, started), "start network "+req.Name); err != nil {
		return api.Network{}, err
	}
	return m.Network(ctx, req.Name)
}

// choose gives the network prefixes that are free on the host, of the definitions
// and of what runs, where the request asks for them.
func (m *Manager) choose(ctx context.Context, req api.AddNetwork, w world) error {
	if !req.Choose && !req.IPv6 {
		return nil
	}
	taken, err := m.occupied(ctx, w)
	if err != nil {
		return err
	}
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

// serveAddresses switches DHCP on where nothing is said of it. IPv6 guests make
// addresses of their own from the advertisements.
func serveAddresses(n *spec.Network) {
	for i, s := range n.Subnets {
		if s.DHCP == nil && s.Address.Addr().Is4() && !s.Address.IsSingleIP() {
			n.Subnets[i].DHCP = &spec.DHCP{}
		}
	}
}

func errRuns(name string) error {
	return because(api.ReasonActive, conflict("network %s runs already", name))
}

func errStands(name string) error {
	return because(api.ReasonInactive, conflict("network %s does not run", name))
}

// Start implements api.Service.
func (m *Manager) Start(ctx context.Context, name string) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name = before.networkName(name)
	n, err := before.definition(name)
	switch {
	case before.running.Networks[name] != nil:
		return errRuns(name)
	case err != nil:
		return err
	}
	return m.start(ctx, before, name, &input{spec: &spec.Spec{Networks: map[string]*spec.Network{name: n}}, alone: true})
}

// start runs the network of the input, whether it has a definition or not. One
// that is defined on demand would stop again at once without a port.
func (m *Manager) start(ctx context.Context, before world, name string, in *input) error {
	if before.running.Networks[name] != nil {
		return errRuns(name)
	}
	after := before.clone()
	merge(after.running, in.spec)
	after.demand()
	if after.running.Networks[name] == nil {
		return conflict("network %s is on demand: it starts with its first port", name)
	}
	if err := m.fits(ctx, in, before, after); err != nil {
		return err
	}
	_, err := m.attempt(ctx, m.changes(before, after), "start network "+name)
	return err
}

// Stop implements api.Service.
func (m *Manager) Stop(ctx context.Context, name string) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name = before.networkName(name)
	if before.running.Networks[name] == nil {
		if _, err := before.definition(name); err != nil {
			return err
		}
		return errStands(name)
	}
	if before.defined.Networks[name] == nil && before.fault("network/"+name) == nil { // it would be gone
		if err := before.unused("network/" + name); err != nil {
			return err
		}
	}
	after := before.clone()
	delete(after.running.Networks, name)
	after.demand()
	if after.running.Networks[name] != nil {
		return conflict("network %s is on demand and has ports; delete them, or undefine the network first", name)
	}
	return m.remove(ctx, "stop network "+name, before, after)
}

// Undefine implements api.Service. A network that runs goes on as a transient
// one, as libvirt's does; ports wait for a network of that name. One that others
// name stays defined.
func (m *Manager) Undefine(ctx context.Context, name string) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name = before.networkName(name)
	if before.defined.Networks[name] == nil {
		_, err := before.definition(name)
		return err
	}
	if err := before.unused("network/" + name); err != nil {
		return err
	}
	after := before.clone()
	delete(after.defined.Networks, name)
	return m.write(before, after)
}

// SetAutostart implements api.Service. Whether a network starts at boot says
// nothing about how it runs, so that both copies have it.
func (m *Manager) SetAutostart(ctx context.Context, name string, on bool) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name = before.networkName(name)
	if _, err := before.definition(name); err != nil {
		return err
	}
	after := before.clone()
	for _, s := range []*spec.Spec{after.defined, after.running} {
		if n := s.Networks[name]; n != nil {
			set := *n
			set.Autostart = &on
			s.Networks[name] = &set
		}
	}
	return m.write(before, after)
}
