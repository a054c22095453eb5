package manage

import (
	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
	"kvmnet/internal/store"
)

// world is what the store holds. A verb takes the world as it is, makes the one
// that is asked for, and has the difference written and put in force. The objects
// and the maps are shared and never changed; the maps of a clone are its own.
type world struct {
	defined    *spec.Spec // definitions
	running    *spec.Spec // networks that run, as they run, and transient ports
	unreadable error      // files of definitions that cannot be read
}

// world reads the store. Run marks are ours alone: when one cannot be read we do
// not know what runs, and touch nothing.
func (m *Manager) world() (world, error) {
	m.storing.Lock()
	defer m.storing.Unlock()
	running, err := m.store.Running()
	if err != nil {
		return world{}, internal(err)
	}
	defined, unreadable := m.store.Defined()
	if defined == nil {
		return world{}, internal(unreadable)
	}
	if running, err = m.runningIDs.of(running, m.store.HostID); err != nil {
		return world{}, internal(err)
	}
	if defined, err = m.definedIDs.of(defined, m.store.HostID); err != nil {
		return world{}, internal(err)
	}
	return world{defined, running, unreadable}, nil
}

// unreadable lists the faults that an error of the store is about.
func unreadable(err error) (list []*store.Unreadable) {
	if u, ok := err.(*store.Unreadable); ok {
		return []*store.Unreadable{u}
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			list = append(list, unreadable(e)...)
		}
	}
	return list
}

// fault tells why the definition of an object, such as network/lab, cannot be
// read; nil when it can, or there is none.
func (w world) fault(object string) error {
	for _, u := range unreadable(w.unreadable) {
		if u.Owner() == object {
			return u
		}
	}
	return nil
}

// legible refuses to go on with an object whose definition cannot be read: what
// somebody wrote by hand is not written over.
func (w world) legible(object string) error {
	if fault := w.fault(object); fault != nil {
		return conflict("the definition of %s cannot be read; repair or remove the file\n%v", object, fault)
	}
	return nil
}

func (w world) clone() world {
	c := w
	c.defined, c.running = &spec.Spec{}, &spec.Spec{}
	merge(c.defined, w.defined)
	merge(c.running, w.running)
	return c
}

// live is what is to be on the host: the networks that run, as they run, and
// every object of another kind.
func (w world) live() *spec.Spec {
	others := *w.defined
	others.Networks = nil
	return join(&others, w.running)
}

// all is every object there is: live, and networks as they are defined where they
// are.
func (w world) all() *spec.Spec {
	return join(w.live(), &spec.Spec{Networks: w.defined.Networks})
}

// applied returns the world in which the objects are defined and in force: of the
// networks, those that run already or are to start by themselves. A port that was
// transient is so no more.
func (w world) applied(s *spec.Spec) world {
	after := w.clone()
	merge(after.defined, s)
	for _, object := range objects(s) {
		if k, name := cut(object); k.name != "networks" {
			k.drop(after.running, name)
		}
	}
	for name, n := range s.Networks {
		if _, runs := w.running.Networks[name]; runs || spec.Truth(n.Autostart) && !n.OnDemand {
			after.running.Networks[name] = n
		}
	}
	after.demand()
	return after
}

// demand starts the networks on demand that have a port, and stops those that
// have none. A port that cannot be read may be on any of them.
func (w world) demand() {
	if !w.someOnDemand() {
		return
	}
	used, sure := map[string]bool{}, true
	for _, u := range unreadable(w.unreadable) {
		sure = sure && u.Kind != "ports"
	}
	for _, p := range w.live().Ports {
		used[p.Network] = true
	}
	for name, n := range w.defined.Networks {
		switch running := w.running.Networks[name]; {
		case !n.OnDemand:
		case running == nil && used[name]:
			w.running.Networks[name] = n
		case running != nil && running.OnDemand && !used[name] && sure:
			delete(w.running.Networks, name)
		}
	}
}

// someOnDemand reports whether there is a network on demand at all.
func (w world) someOnDemand() bool {
	for _, n := range w.defined.Networks {
		if n.OnDemand {
			return true
		}
	}
	return false
}

// onlyPort is the world with one of its ports, to tell of that alone.
func (w world) onlyPort(name string) world {
	w.defined, w.running = plan.OnlyPorts(w.defined, []string{name}), plan.OnlyPorts(w.running, []string{name})
	return w
}

// definition returns a network as it is defined.
func (w world) definition(name string) (*spec.Network, error) {
	if err := w.legible("network/" + name); err != nil {
		return nil, err
	}
	if n := w.defined.Networks[name]; n != nil {
		return n, nil
	}
	if w.running.Networks[name] != nil {
		return nil, because(api.ReasonTransient, conflict("network %s is transient: it has no definition", name))
	}
	return nil, notFound("network", name)
}
