package manage

import (
	"context"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// PlugPort implements api.Service: what QEMU's script is there for. The port goes with
// the interface.
func (m *Manager) PlugPort(ctx context.Context, r api.PlugPort) (api.Port, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Port{}, err
	}
	defer m.changing.Unlock()
	name, old := before.portWith(r.Interface)
	if r.Network, err = before.plugsInto(r, name, old); err != nil {
		return api.Port{}, err
	}
	switch {
	case old == nil:
		return m.plugOutside(ctx, before, r)
	case old.Network != r.Network || old.Unplugged && old.Held != "":
		in := false
		return m.replace(ctx, before, name, changed(old, api.SetPort{Network: &r.Network, Unplugged: &in}), "plug in "+r.Interface)
	}
	return m.port(ctx, name)
}

// plugOutside makes a port of an interface of others.
func (m *Manager) plugOutside(ctx context.Context, before world, r api.PlugPort) (api.Port, error) {
	have, err := m.glance(ctx, r.Interface)
	if err != nil {
		return api.Port{}, internal(err)
	}
	l, err := pluggable(have, r.Interface, before.all().Networks[r.Network].Bridge.Name)
	if err != nil {
		return api.Port{}, err
	}
	name := before.freeName(r.Network)
	if spec.CheckName(l.Name) == nil && before.live().Ports[l.Name] == nil && before.fault("port/"+l.Name) == nil {
		name = l.Name
	}
	p := &spec.Port{Network: r.Network, Interface: l.Name, Type: spec.PortType(l.Type), Held: spec.HeldOutside}
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{name: p}}}
	if err := in.complete(before); err != nil {
		return api.Port{}, err
	}
	return m.plug(ctx, before, name, in, true)
}

// glance looks at an interface and the bridge that it is in, if any: a guest waits, and
// to look at the whole host takes longer with everything that is on it.
func (m *Manager) glance(ctx context.Context, iface string) (plan.State, error) {
	have, err := m.engine.Glance(ctx, iface)
	if l, _ := have.Link("", iface); err == nil && l.Master != "" {
		have, err = m.engine.Glance(ctx, iface, l.Master)
	}
	return have, err
}

// plugsInto finds the network that an interface is to be plugged into. A port of ours
// that QEMU opened by its name, and ran its script for, is plugged in already.
func (w world) plugsInto(r api.PlugPort, name string, old *spec.Port) (string, error) {
	network := w.networkName(r.Network)
	n := w.all().Networks[network]
	switch {
	case r.Interface == "":
		return "", invalid("which interface is to be plugged in is missing")
	case r.Network == "" && old != nil:
		return old.Network, nil
	case r.Network == "":
		return "", invalid("interface " + r.Interface + " is of no port; say which network it is for: KVMNET_NETWORK=NET before the script, or a link to it that is named after the network")
	case n == nil:
		if err := w.legible("network/" + network); err != nil {
			return "", err
		}
		return "", notFound("network", network)
	case old != nil && old.Held != spec.HeldOutside && old.Network != network:
		return "", conflict("interface %s is that of port %s, on network %s; move it with 'kvmnet port set %s --network %s'", r.Interface, name, old.Network, name, network)
	case n.Direct != nil:
		return "", conflict("network %s has its guests on NICs of the host, by macvtap, and no bridge; add a port with 'kvmnet port add %s'", network, network)
	case w.running.Networks[network] == nil && !n.OnDemand:
		return "", because(api.ReasonInactive, conflict("network %s does not run; start it with 'kvmnet net start %s'", network, network))
	}
	return network, nil
}

// pluggable is an interface that may be made a port of a bridge.
func pluggable(have plan.State, name, bridge string) (plan.Link, error) {
	l, there := have.Link("", name)
	master, _ := have.Link("", l.Master)
	switch {
	case !there:
		return l, &api.Error{Code: api.CodeNotFound, Message: "no interface named " + name + "; it must be there before it is plugged in, as it is when QEMU runs its script"}
	case l.Owner() != "":
		return l, conflict("interface %s is kvmnet's, of %s; it is plugged in by what that says", name, strings.Replace(l.Owner(), "/", " ", 1))
	case l.Type != string(spec.Tap) && l.Type != string(spec.Veth):
		return l, conflict("interface %s is a %s, and not of a guest: only a tap or a veth is plugged in; put a NIC of the host into a host bridge", name, kindOfLink(l))
	case l.Master != "" && l.Master != bridge && !strings.HasPrefix(master.Owner(), "network/"):
		return l, conflict("interface %s is a port of %s, which is not kvmnet's; take it out first (ip link set %s nomaster)", name, l.Master, name)
	}
	return l, nil
}

func kindOfLink(l plan.Link) string {
	if l.Type == "device" {
		return "NIC"
	}
	return l.Type
}

// portWith finds the port that has an interface.
func (w world) portWith(iface string) (string, *spec.Port) {
	for name, p := range w.live().Ports {
		if p.Interface == iface && iface != "" {
			return name, p
		}
	}
	return "", nil
}

// holds reports whether an interface of others is the port of a guest that we know.
func (w world) holds(iface string) bool {
	_, p := w.portWith(iface)
	return p != nil && p.Held == spec.HeldOutside
}

// UnplugPort implements api.Service. Ports of ours are left alone: their guests find
// them again.
func (m *Manager) UnplugPort(ctx context.Context, iface string) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	name, p := before.portWith(iface)
	if p == nil || p.Held != spec.HeldOutside {
		return nil
	}
	return m.forget(ctx, before, "unplug "+iface, name)
}

// forget ends transient ports.
func (m *Manager) forget(ctx context.Context, before world, doing string, ports ...string) error {
	after := before.clone()
	for _, name := range ports {
		delete(after.running.Ports, name)
	}
	after.demand()
	return m.remove(ctx, doing, before, after)
}
