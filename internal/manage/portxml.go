package manage

import (
	"cmp"
	"context"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
)

// AddPortXML implements api.Service: a port in libvirt's words gets a device of its
// own, and is gone after a reboot, like the guest it is for.
func (m *Manager) AddPortXML(ctx context.Context, network string, r api.DefineRequest) (api.Port, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Port{}, err
	}
	defer m.changing.Unlock()
	in, name, err := before.readPort(before.networkName(network), r)
	if err != nil {
		return api.Port{}, err
	}
	if err := in.complete(before); err != nil {
		return api.Port{}, err
	}
	return m.plug(ctx, before, name, in, true)
}

// readPort reads a port of a network. It is refused in libvirt's order: for what the
// text says, because the network does not run, and for its UUID.
func (w world) readPort(network string, r api.DefineRequest) (*input, string, error) {
	p, err := libvirtxml.ReadPort([]byte(r.Text))
	if err != nil {
		in := &input{refusal: err}
		return nil, "", in.faulty([]api.Problem{placed(misread(r.File, err))})
	}
	n, err := w.plugable(network)
	if err != nil {
		return nil, "", err
	}
	if w.portOf(p.UUID) != "" {
		return nil, "", because(api.ReasonUUIDTaken, conflict("network port Network port with UUID %s already exists exists already", p.UUID))
	}
	if err := p.Join(w.document(network, n)); err != nil {
		return nil, "", because(api.ReasonXML, conflict("%v", err))
	}
	made, notes := p.Spec(network)
	in := &input{}
	for _, note := range notes {
		note.File = r.Name
		in.notes = append(in.notes, placed(note))
	}
	if r.Strict && len(in.notes) > 0 {
		return nil, "", in.strictly()
	}
	name := w.nameFor(p)
	in.spec = &spec.Spec{Ports: map[string]*spec.Port{name: made}}
	return in, name, nil
}

// plugable is a network that runs, or will with its first port.
func (w world) plugable(name string) (*spec.Network, error) {
	if n := w.running.Networks[name]; n != nil {
		return n, nil
	}
	n, err := w.definition(name)
	if err == nil && !n.OnDemand {
		err = errStands(name)
	}
	return n, err
}

// document is a network in libvirt's words, with how many are plugged into it.
func (w world) document(name string, n *spec.Network) *libvirtxml.Network {
	doc := libvirtxml.Of(name, n)
	on := map[string]int{}
	for _, p := range w.live().Ports {
		if p.Network == name {
			doc.Connections++
			on[p.Device]++
		}
	}
	if doc.Forward != nil {
		for i, d := range doc.Forward.Interfaces {
			doc.Forward.Interfaces[i].Connections = on[d.Name]
		}
	}
	return doc
}

// nameFor names a port after its guest, or, where that is taken or no name, by its
// UUID.
func (w world) nameFor(p *libvirtxml.Port) string {
	if spec.CheckName(p.Owner) == nil && w.live().Ports[p.Owner] == nil && w.fault("port/"+p.Owner) == nil {
		return p.Owner
	}
	return p.UUID
}

// PortXML implements api.Service.
func (m *Manager) PortXML(_ context.Context, port string) (string, error) {
	w, err := m.world()
	if err != nil {
		return "", internal(err)
	}
	name := w.portName(port)
	p := w.live().Ports[name]
	if p == nil {
		return "", cmp.Or(w.legible("port/"+name), notFound("port", name))
	}
	n := cmp.Or(w.running.Networks[p.Network], w.defined.Networks[p.Network])
	if n == nil { // it waits for a network of that name
		n = &spec.Network{Mode: spec.Isolated}
	}
	return libvirtxml.PortOf(name, p, libvirtxml.Of(p.Network, n)).Format(), nil
}
