package cli

import (
	"context"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (f *fake) SetPort(_ context.Context, name string, r api.SetPort) (api.Port, error) {
	f.note("set port %s %s", name, text(r))
	i := slices.IndexFunc(f.ports, func(p api.Port) bool { return p.Name == name })
	switch {
	case i < 0:
		return api.Port{}, notFound("port", name)
	case r.Network != nil && f.find(*r.Network) == nil:
		return api.Port{}, notFound("network", *r.Network)
	}
	p := *f.ports[i].Spec
	set(&p.Network, r.Network)
	set(&p.Unplugged, r.Unplugged)
	set(&p.Guard, r.Guard)
	set(&p.Addresses, r.Addresses)
	set(&p.Guest, r.Guest)
	set(&p.Owner, r.Owner)
	if r.Bandwidth != nil {
		p.Bandwidth = r.Bandwidth
	}
	if r.Storm != nil {
		p.Storm = r.Storm
	}
	f.ports[i].Spec = &p
	return f.ports[i], nil
}

func set[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}

func (f *fake) PlugPort(_ context.Context, r api.PlugPort) (api.Port, error) {
	f.note("plug %s into %s", r.Interface, r.Network)
	switch {
	case r.Network == "":
		return api.Port{}, &api.Error{Code: api.CodeInvalid, Message: "interface " + r.Interface + " is of no port"}
	case f.find(r.Network) == nil:
		return api.Port{}, notFound("network", r.Network)
	}
	return api.Port{Name: r.Interface, Spec: &spec.Port{Network: r.Network, Interface: r.Interface, Held: spec.HeldOutside}}, nil
}

func (f *fake) UnplugPort(_ context.Context, iface string) error {
	f.note("unplug %s", iface)
	if iface == "lo" {
		return conflict("", "lo is stuck")
	}
	return nil
}
