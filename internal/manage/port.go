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
	case req.Port.Held != "":
		return api.Port{}, invalid("a port that is held is opened by the program that uses it, not added")
	case all.Networks[req.Port.Network] == nil:
		return api.Port{}, cmp.Or(before.legible("network/"+req.Port.Network), notFound("network", req.Port.Network))
	case old != nil:
		return api.Port{}, conflict("port %s exists, on network %s", req.Name, old.Network)
	}
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{req.Name: req.Port}}}
	if err := in.complete(before); err != nil {
		return api.Port{}, err
	}
	return m.plug(ctx, before, req.Name, in, req.Transient)
}

func (w world) freeName(network string) string {
	taken := w.live().Ports
	for i := 1; ; i++ {
		if name := fmt.Sprintf("%s-%d", network, i); taken[name] == nil && w.fault("port/"+name) == nil {
			return name
		}
	}
}

// plug adds a port that was checked, and tells what became of it.
func (m *Manager) plug(ctx context.Context, before world, name string, in *input, transient bool) (api.Port, error) {
	after := before.clone()
	if transient {
		merge(after.running, in.spec)
	} else {
		merge(after.defined, in.spec)
	}
	after.demand()
	return m.putPort(ctx, in, before, after, name, "add port "+name)
}

// putPort makes it so that a port is there, or is another one.
func (m *Manager) putPort(ctx context.Context, in *input, before, after world, name, doing string) (api.Port, error) {
	if err := m.fits(ctx, in, before, after); err != nil {
		return api.Port{}, err
	}
	r, err := m.attempt(ctx, m.changes(before, after), doing)
	if err != nil {
		return api.Port{}, err
	}
	if !r.Glanced() {
		return m.port(ctx, name)
	}
	r.Ops = nil // they are done
	return viewOf(after.onlyPort(name), r).port(name), nil
}
