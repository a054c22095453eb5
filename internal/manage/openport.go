package manage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// Tap is a tap that lasts no longer than somebody has it open.
type Tap struct {
	Name   string
	MAC    spec.MAC // of the guest; zero = it has one of its own
	MTU    int      // 0 = the kernel's
	Owner  int      // user who may open further queues
	Queues int      // 0 = 1
	Plain  bool     // frames without virtio's header
}

// OpenPort gives a program of a user a port that lives as long as it is used. The
// descriptors are those of its tap, one a queue; a tap that is opened by its name has
// none here. On any error nothing is left.
func (m *Manager) OpenPort(ctx context.Context, who api.Caller, r api.OpenPort) (api.Port, []*os.File, error) {
	before, err := m.begin(ctx)
	if err != nil {
		return api.Port{}, nil, err
	}
	defer m.changing.Unlock()
	if r.Network, err = before.openable(r); err != nil {
		return api.Port{}, nil, err
	}
	if err := m.permit(before, r.Network, who, r.Guard); err != nil {
		return api.Port{}, nil, err
	}
	name := cmp.Or(r.Name, before.freeName(r.Network))
	p, taps, err := m.open(ctx, before, who, r, name)
	if errors.Is(err, syscall.EBUSY) && r.Name == "" { // somebody's interface is called so
		p, taps, err = m.open(ctx, before, who, r, r.Network+"-"+newUUID()[:8])
	}
	if errors.Is(err, syscall.EBUSY) {
		err = conflict("interface %s exists already; give the port another name", name)
	}
	return p, taps, internal(err)
}

// open makes a port of that name.
func (m *Manager) open(ctx context.Context, before world, who api.Caller, r api.OpenPort, name string) (api.Port, []*os.File, error) {
	in := &input{spec: &spec.Spec{Ports: map[string]*spec.Port{name: portFor(r, who)}}}
	if err := in.complete(before); err != nil {
		return api.Port{}, nil, err
	}
	taps, err := m.openTaps(ctx, before, in.spec.Ports[name], who, r)
	if err != nil {
		return api.Port{}, nil, err
	}
	p, err := m.plug(ctx, before, name, in, true)
	if err != nil {
		closeAll(taps) // and with them the interface goes
		return api.Port{}, nil, err
	}
	return p, taps, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// openable finds the network that a program asks for.
func (w world) openable(r api.OpenPort) (string, error) {
	name := w.networkName(r.Network)
	if r.Network == "" {
		name = w.networkOn(r.Bridge)
	}
	n := cmp.Or(w.running.Networks[name], w.defined.Networks[name])
	switch {
	case r.Network == "" && r.Bridge == "":
		return "", invalid("a port needs a network")
	case n == nil && r.Network == "":
		return "", conflict("bridge %s is not of a network; name the bridge of one, or declare a network of mode bridge on it", r.Bridge)
	case n == nil:
		return "", cmp.Or(w.legible("network/"+name), notFound("network", name))
	case w.running.Networks[name] == nil && !n.OnDemand:
		return "", because(api.ReasonInactive, conflict("network %s does not run; start it with 'kvmnet net start %s'", name, name))
	case n.Direct != nil:
		return "", conflict("network %s has its guests on NICs of the host, by macvtap, and none that are opened in this way; add a port with 'kvmnet port add %s'", name, name)
	case r.ByName && r.AnyMAC:
		return "", invalid("a tap that is opened by its name is made for a MAC; leave the MAC out to have one made")
	case r.Name != "" && w.live().Ports[r.Name] != nil:
		return "", conflict("port %s exists, on network %s", r.Name, w.live().Ports[r.Name].Network)
	}
	return name, nil
}

// networkOn names the network that is on a bridge; of those on one host bridge the one
// that runs, and then the first by name. "" when there is none.
func (w world) networkOn(bridge string) string {
	for _, s := range []*spec.Spec{w.running, w.defined} {
		for _, name := range s.Names("networks") {
			if n := s.Networks[name]; bridge != "" && n.Bridge.Name == bridge {
				return name
			}
		}
	}
	return ""
}

// portFor is the port that a program asks for. Its owner is who asked, and it counts for
// him whatever it is made of.
func portFor(r api.OpenPort, who api.Caller) *spec.Port {
	p := &spec.Port{Network: r.Network, Type: spec.Tap, Held: spec.HeldOutside, Guest: r.Guest, MAC: r.MAC, Addresses: r.Addresses,
		Queues: r.Queues, Guard: r.Guard, Owner: cmp.Or(r.Owner, strconv.Itoa(who.UID))}
	if r.ByName {
		p.Held = spec.HeldOpen
	}
	if p.MAC.IsZero() && !r.AnyMAC {
		p.MAC = spec.GenerateMAC(newUUID())
	}
	return p
}

// openTaps makes the tap of a port that its descriptors keep.
func (m *Manager) openTaps(ctx context.Context, w world, p *spec.Port, who api.Caller, r api.OpenPort) ([]*os.File, error) {
	if p.Held != spec.HeldOutside {
		return nil, nil
	}
	if m.openTap == nil {
		return nil, errors.New("open a tap: nobody makes any")
	}
	mtu, err := m.mtuOf(ctx, w, p.Network)
	if err != nil {
		return nil, err
	}
	return m.openTap(Tap{Name: p.Interface, MAC: p.MAC, MTU: mtu, Owner: who.UID, Queues: p.Queues, Plain: r.Plain})
}

// mtuOf is what a tap of a network is made with: a bridge that nobody gave an MTU would
// take that of a smaller port.
func (m *Manager) mtuOf(ctx context.Context, w world, network string) (int, error) {
	n := cmp.Or(w.running.Networks[network], w.defined.Networks[network])
	if n.Mode != spec.Bridge {
		return cmp.Or(n.Bridge.MTU, 1500), nil
	}
	if hb := w.defined.Bridges[n.Bridge.Name]; hb != nil && hb.MTU > 0 {
		return hb.MTU, nil
	}
	have, err := m.engine.Glance(ctx, n.Bridge.Name)
	if err != nil {
		return 0, fmt.Errorf("look at bridge %s: %w", n.Bridge.Name, err)
	}
	l, _ := have.Link("", n.Bridge.Name)
	return cmp.Or(n.Bridge.MTU, l.MTU), nil
}
