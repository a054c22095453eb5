package manage

import (
	"context"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/plan"
)

// UpdateNetwork implements api.Service. What runs changes by a pass of the loop, as it
// does when a file is applied: a guest keeps its NIC, and a rule that holds as before is
// not touched. When the host refuses, both copies are as they were.
func (m *Manager) UpdateNetwork(ctx context.Context, network string, u api.NetworkUpdate) (api.Updated, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Updated{}, err
	}
	defer m.changing.Unlock()
	name := before.networkName(network)
	done := api.Updated{}
	if done.Copies, err = before.chosen(name, u.Copies); err != nil {
		return api.Updated{}, err
	}
	update := libvirtxml.Update{Command: u.Command, Section: u.Section, Parent: u.Parent, XML: u.XML}
	after, in, err := before.rework(name, done.Copies, throughXML(name, func(n *libvirtxml.Network) error { return n.Update(update) }))
	if err != nil {
		return api.Updated{}, err
	}
	if err := m.fits(ctx, in, before, after); err != nil {
		return api.Updated{}, err
	}
	r, err := m.engine.Preview(ctx, after.live())
	if err != nil {
		return api.Updated{}, internal(err)
	}
	done.Ops = plan.Lines(r.Ops)
	if !u.DryRun {
		_, err = m.attempt(ctx, partial(m.changes(before, after)), "update network "+name)
	}
	if err != nil {
		return api.Updated{}, err
	}
	return done, nil
}

// partial marks changes of a part of a network only.
func partial(list []change) []change {
	for i := range list {
		list[i].within = true
	}
	return list
}
