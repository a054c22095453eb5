package manage

import (
	"context"
	"fmt"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
)

// Define implements api.Service. The definition of a network that runs takes
// effect at its next start.
func (m *Manager) Define(ctx context.Context, r api.DefineRequest) (api.Defined, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Defined{}, err
	}
	defer m.changing.Unlock()
	in, name, err := m.readNetwork(ctx, before, r)
	if err != nil {
		return api.Defined{}, err
	}
	switch {
	case r.DryRun:
		return m.foresee(ctx, in, before, name)
	case r.Transient:
		err = m.start(ctx, before, name, in)
	default:
		err = m.define(before, name, in)
	}
	if err != nil {
		return api.Defined{}, err
	}
	n, err := m.Network(ctx, name)
	return api.Defined{Network: n, Notes: in.notes}, err
}

// readNetwork reads the one network of a file.
func (m *Manager) readNetwork(ctx context.Context, before world, r api.DefineRequest) (*input, string, error) {
	if r.XML && !isXML(r.Text) {
		_, err := libvirtxml.Parse(r.Name, []byte(r.Text))
		in := &input{refusal: err}
		return nil, "", in.faulty([]api.Problem{placed(misread(r.File, err))})
	}
	in := read([]api.File{r.File})
	in.alone = len(in.libvirt) > 0
	if r.Strict {
		if err := in.strictly(); err != nil {
			return nil, "", err
		}
	}
	for name := range in.libvirt {
		if err := before.asLibvirt(name, in.spec.Networks[name], r.Transient); err != nil {
			return nil, "", err
		}
	}
	if err := m.dress(ctx, before, in); err != nil {
		return nil, "", err
	}
	if err := in.complete(before); err != nil {
		return nil, "", err
	}
	name, err := only(in.spec, r.Name)
	return in, name, err
}

// define stores a definition. libvirt's listeners are told of one that is as before,
// too.
func (m *Manager) define(before world, name string, in *input) error {
	after := before.clone()
	merge(after.defined, in.spec)
	list := m.changes(before, after)
	if err := m.record(list); err != nil {
		return err
	}
	if len(list) == 0 {
		m.events.send(api.Event{Time: time.Now(), Type: "unchanged", Object: "network/" + name, Life: "Defined"})
	}
	return nil
}

// only returns the name of the one network of a file.
func only(s *spec.Spec, file string) (string, error) {
	if len(s.Networks) != 1 || s.Count() > 1 {
		return "", invalid(fmt.Sprintf("%s must hold exactly one network (and nothing else); use 'kvmnet apply -f' for more", file))
	}
	for name := range s.Networks {
		return name, nil
	}
	return "", nil
}
