package manage

import (
	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/spec"
)

// chosen says which copies of a network a request means, as libvirt does: without a
// word it is the running one, of a network that does not run the definition.
func (w world) chosen(name string, c api.Copies) (api.Copies, error) {
	runs := w.running.Networks[name] != nil
	if c == (api.Copies{}) {
		c = api.Copies{Live: runs, Config: !runs}
	}
	_, err := w.definition(name)
	switch {
	case !runs && err != nil:
		return c, err
	case c.Live && !runs:
		return c, errStands(name)
	case c.Config && w.fault("network/"+name) != nil:
		return c, err
	case c.Config && err != nil:
		return c, because(api.ReasonNotPersistent, conflict("network %s is transient: it has no definition to change", name))
	}
	return c, nil
}

// copied is one copy of a network, in a world that may be changed.
type copied struct {
	shelf map[string]*spec.Network
	name  string
}

// copies are the copies that are meant.
func (w world) copies(name string, c api.Copies) (list []copied) {
	if c.Live {
		list = append(list, copied{w.running.Networks, name})
	}
	if c.Config {
		list = append(list, copied{w.defined.Networks, name})
	}
	return list
}

// rework changes copies of a network, and returns the world in which they are so, and
// what has changed as the input of a request. It must go together with what runs; with
// others only when it starts.
func (w world) rework(name string, c api.Copies, change func(*spec.Network) (*spec.Network, error)) (world, *input, error) {
	after, in := w.clone(), (*input)(nil)
	for _, one := range after.copies(name, c) {
		next, err := change(one.shelf[name])
		if err != nil {
			return w, nil, err
		}
		next.Autostart = one.shelf[name].Autostart
		in = &input{spec: &spec.Spec{Networks: map[string]*spec.Network{name: next}}, alone: true}
		if err := in.complete(w); err != nil {
			return w, nil, err
		}
		one.shelf[name] = in.spec.Networks[name]
	}
	return after, in, nil
}

// throughXML changes a network by its XML.
func throughXML(name string, change func(*libvirtxml.Network) error) func(*spec.Network) (*spec.Network, error) {
	return func(n *spec.Network) (*spec.Network, error) {
		doc := libvirtxml.Of(name, n)
		if err := change(doc); err != nil {
			return nil, because(api.ReasonBadUpdate, invalid(err.Error()))
		}
		f, err := libvirtxml.Parse(name, []byte(doc.Format()))
		if err != nil {
			return nil, because(api.ReasonBadUpdate, invalid(err.Error()))
		}
		return f.Spec.Networks[name], nil
	}
}
