package manage

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// foresee tells of a network as it would be defined, with what would keep it from
// starting. One that runs goes on as it does.
func (m *Manager) foresee(ctx context.Context, in *input, before world, name string) (api.Defined, error) {
	n := in.spec.Networks[name]
	seen := api.Network{Name: name, Spec: n, Status: api.NetworkStatus{State: api.Inactive, Persistent: true,
		Autostart: spec.Truth(n.Autostart) && !n.OnDemand, Bridge: n.Bridge.Name}}
	if before.running.Networks[name] != nil {
		seen.Status.State = api.Running
	}
	var err error
	seen.Status.Problems, err = m.hindrances(ctx, in, before, name)
	return api.Defined{Network: seen, Notes: in.notes}, err
}

// hindrances tell what would keep a network from starting at once: what of it the
// host or another network uses.
func (m *Manager) hindrances(ctx context.Context, in *input, before world, name string) ([]string, error) {
	n, after := in.spec.Networks[name], before.clone()
	if before.running.Networks[name] != nil {
		return nil, nil
	}
	merge(after.defined, in.spec)
	after.running.Networks[name] = n
	have, err := m.engine.Have(ctx)
	if err != nil {
		return nil, internal(err)
	}
	var list []string
	for l := range plan.Of[plan.Link](have) {
		if l.NS == "" && l.Name == n.Bridge.Name && n.Mode.Managed() && l.Owner() != "network/"+name {
			list = append(list, fmt.Sprintf("the interface %s exists already, and is not this network's", l.Name))
		}
	}
	var refused *api.Error
	switch err := m.fits(ctx, in, before, after); {
	case errors.As(err, &refused):
		for _, p := range refused.Problems {
			list = append(list, p.Message)
		}
	case err != nil:
		return nil, err
	}
	return list, nil
}

// FreeSubnet implements api.Service.
func (m *Manager) FreeSubnet(ctx context.Context, from byte) (netip.Prefix, error) {
	w, err := m.world()
	if err != nil {
		return netip.Prefix{}, internal(err)
	}
	taken, err := m.occupied(ctx, w)
	if err != nil {
		return netip.Prefix{}, err
	}
	p, err := spec.FreeSubnetFrom(from, taken)
	if err != nil {
		return netip.Prefix{}, conflict("%v", err)
	}
	return p, nil
}

// occupied are the prefixes of the host, of the definitions and of what runs.
func (m *Manager) occupied(ctx context.Context, w world) ([]netip.Prefix, error) {
	have, err := m.engine.Have(ctx)
	if err != nil {
		return nil, internal(err)
	}
	return slices.Concat(plan.TakenBy(have).Prefixes(), subnets(w.all()), subnets(w.live())), nil
}
