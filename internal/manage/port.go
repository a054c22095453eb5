package manage

import (
	"cmp"
	"context"
	"fmt"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// AddPort implements api.Service. A port on an on-demand network starts it. When
// the host refuses, the port is forgotten.
func (m *Manager) AddPort(ctx context.Context, req api.AddPort) (api.Port, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Port{}, err
	}
	defer m.changing.Unlock()
	all := before.all()
	if req.Name == "" {
		req.Name = before.freeName(req.Port.Network)
	}
	switch old := all.Ports[req.Name]; {
	case req.Port.Network == "":
		return api.Port{}, invalid("a port needs a network")
	case all.Networks[req.Port.Network] == nil:
		return api.Port{}, cmp.Or(before.legible("network/"+req.Port.Network), notFound("network", req.Port.Network))
	case old != nil:
		return api.Port{}, conflict("port %s exists, on network %s", req.Name, old.Network)
	}
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{req.Name: req.Port}}}
	if err := in.complete(before); err != nil {
		return api.Port{}, err
	}
	if err := m.plug(ctx, before, req.Name, in, req.Transient); err != nil {
		return api.Port{}, err
	}
	return m.port(ctx, req.Name)
}

func (w world) freeName(network string) string {
	taken := w.live().Ports
	for i := 1; ; i++ {
		if name := fmt.Sprintf("%s-%d", network, i); taken[name] == nil && w.fault("port/"+name) == nil {
			return name
		}
	}
}

func (m *Manager) plug(ctx context.Context, before world, name string, in *input, transient bool) error {
	after := before.clone()
	if transient {
		merge(after.running, in.spec)
	} else {
		merge(after.defined, in.spec)
	}
	after.demand()
	if err := m.fits(ctx, in, before, after); err != nil {
		return err
	}
	_, err := m.attempt(ctx, m.changes(before, after), "add port "+name)
	return err
}
