package manage

import (
	"cmp"
	"context"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// SetPort implements api.Service. The guest keeps its device: a port that goes to
// another network is a cable that is plugged in elsewhere. When the host refuses, the
// port is as before.
func (m *Manager) SetPort(ctx context.Context, name string, r api.SetPort) (api.Port, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Port{}, err
	}
	defer m.changing.Unlock()
	name = before.portName(name)
	old := before.live().Ports[name]
	if old == nil {
		return api.Port{}, cmp.Or(before.legible("port/"+name), notFound("port", name))
	}
	if r.Network != nil {
		to := before.networkName(*r.Network)
		r.Network = &to
	}
	if err := before.settable(name, old, r); err != nil {
		return api.Port{}, err
	}
	return m.replace(ctx, before, name, changed(old, r), "set port "+name)
}

// replace puts a port in the place of another, in the half of the store where that is.
func (m *Manager) replace(ctx context.Context, before world, name string, p *spec.Port, doing string) (api.Port, error) {
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{name: p}}, whole: true}
	if err := in.complete(before); err != nil {
		return api.Port{}, err
	}
	after := before.clone()
	if before.running.Ports[name] != nil {
		merge(after.running, in.spec)
	} else {
		merge(after.defined, in.spec)
	}
	after.demand()
	return m.putPort(ctx, in, before, after, name, doing)
}

// settable refuses changes that the device of a port cannot follow.
func (w world) settable(name string, p *spec.Port, r api.SetPort) error {
	all := w.all()
	switch {
	case r.Network != nil && all.Networks[*r.Network] == nil:
		return cmp.Or(w.legible("network/"+*r.Network), notFound("network", *r.Network))
	case r.Network != nil && *r.Network != p.Network && p.Type == spec.Macvtap:
		return conflict("port %s is a macvtap, which stays on its NIC; delete the port and add one on network %s", name, *r.Network)
	case r.Network != nil && *r.Network != p.Network && all.Networks[*r.Network].Direct != nil:
		return conflict("network %s has its guests on NICs of the host, by macvtap, and port %s is a %s; add a port there and start the guest with it", *r.Network, name, p.Type)
	case r.Owner != nil && p.Held != "":
		return conflict("port %s is held by a program, and belongs to who started that", name)
	case r.Owner != nil && *r.Owner != "" && p.Type == spec.Veth:
		return conflict("port %s is a veth, which has no owner: no process opens it", name)
	}
	return nil
}

// changed is a port with what a request changes.
func changed(old *spec.Port, r api.SetPort) *spec.Port {
	p := *old
	set(&p.Network, r.Network)
	set(&p.Unplugged, r.Unplugged)
	set(&p.Guard, r.Guard)
	set(&p.Guest, r.Guest)
	set(&p.Owner, r.Owner)
	if r.Addresses != nil {
		p.Addresses = slices.Clone(*r.Addresses)
	}
	if r.Bandwidth != nil {
		p.Bandwidth = orNone(*r.Bandwidth)
	}
	if r.Storm != nil {
		p.Storm = orNone(*r.Storm)
	}
	return &p
}

func set[T any](field, value *T) {
	if value != nil {
		*field = *value
	}
}

// orNone is nil for what says nothing.
func orNone[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}
