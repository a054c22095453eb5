package hostnet

import (
	"context"
	"fmt"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// BridgeInterface implements api.InterfaceService. An interface that is up is moved into
// the bridge as 'kvmnet bridge convert' does, and files are written once that is
// confirmed; of one that is not the bridge is only defined, and started if that is
// wanted.
func (h *Host) BridgeInterface(ctx context.Context, r api.BridgeInterface) (api.InterfaceChange, error) {
	s, i, err := h.findTop(r.Interface)
	if err != nil {
		return api.InterfaceChange{}, err
	}
	done := api.InterfaceChange{Interface: r.Bridge, Port: i.Name}
	if err := s.bridgeable(i, r.Bridge); err != nil {
		return api.InterfaceChange{}, err
	}
	if !r.STP {
		r.Delay = 0 // virsh has none then
	}
	if i.Active && r.Start {
		c, err := h.ConvertBridge(ctx, api.ConvertBridge{Interface: i.Name, Bridge: r.Bridge, STP: r.STP, Delay: r.Delay, Peer: r.Peer})
		done.Conversion = &c
		return done, err
	}
	b := shapeOf(i).Bridged(r.Bridge, r.STP, r.Delay)
	b.Default()
	if err := h.alone(func() error { return h.defineChecked(ctx, b) }); err != nil || !r.Start {
		return done, err
	}
	started, err := h.StartInterface(ctx, api.InterfaceAction{Name: r.Bridge, Peer: r.Peer})
	done.Conversion = started.Conversion
	return done, err
}

// bridgeable refuses what cannot be put into a bridge of that name.
func (s sight) bridgeable(i api.HostInterface, bridge string) error {
	if _, err := s.find(bridge); err == nil {
		return because(api.ReasonInterfaceTaken, "there is an interface %s already: take another name for the bridge", bridge)
	}
	if shapeOf(i).Type == spec.BridgeInterface {
		return because(api.ReasonIsBridge, "%s is a bridge itself", i.Name)
	}
	return nil
}

// shapeOf is an interface as it is defined, or as it runs where nobody has defined it.
func shapeOf(i api.HostInterface) spec.HostInterface {
	if i.Defined != nil {
		return *i.Defined
	}
	return *i.Live
}

// defineChecked defines an interface that no file says anything of.
func (h *Host) defineChecked(ctx context.Context, i spec.HostInterface) error {
	if problems := i.Validate(); len(problems) > 0 {
		return &api.Error{Code: api.CodeInvalid, Message: "define " + i.Name + ": " + problems[0].String()}
	}
	d, err := h.planDefinition(i)
	if err != nil {
		return err
	}
	return h.define(ctx, d)
}

// UnbridgeInterface implements api.InterfaceService. A bridge that is up gives all back
// to its port, and files are written once that is confirmed.
func (h *Host) UnbridgeInterface(ctx context.Context, r api.UnbridgeInterface) (api.InterfaceChange, error) {
	s, i, err := h.findTop(r.Bridge)
	if err != nil {
		return api.InterfaceChange{}, err
	}
	p, err := unbridged(i)
	if err != nil {
		return api.InterfaceChange{}, err
	}
	done := api.InterfaceChange{Interface: p.Name, Port: p.Name}
	switch _, converted := h.recorded(i.Name); {
	case converted == nil:
		c, err := h.UnconvertBridge(ctx, api.UnconvertBridge{Bridge: i.Name, Peer: r.Peer})
		done.Conversion = &c
		return done, err
	case i.Live != nil && r.Start:
		c, err := h.change(ctx, 0, r.Peer, false, func() (job, error) { return h.planOut(s, i, p) })
		done.Conversion = &c
		return done, err
	}
	if _, comes := h.comesBy(r.Peer, i.Name); comes && i.Active {
		return api.InterfaceChange{}, conflict(fmt.Sprintf("take %s out of %s without starting it: your session comes by %[2]s, and would be cut off: let it be started", p.Name, i.Name))
	}
	return done, h.alone(func() error { return h.unbridgeFiles(ctx, s, i, p) })
}

// unbridged is the port of a bridge with the addresses of the bridge.
func unbridged(i api.HostInterface) (spec.HostInterface, error) {
	s := shapeOf(i)
	reason := ""
	switch {
	case s.Type != spec.BridgeInterface:
		reason = api.ReasonNoBridge
	case len(s.Ports()) == 0:
		reason = api.ReasonNoPorts
	case len(s.Ports()) > 1:
		reason = api.ReasonManyPorts
	}
	p, err := s.Unbridged()
	if err != nil {
		return p, because(reason, "%v", err)
	}
	p.Default()
	return p, nil
}

// planOut works out how a bridge that nobody converted gives all back to its port.
func (h *Host) planOut(s sight, i api.HostInterface, p spec.HostInterface) (job, error) {
	j := job{nic: p.Name, bridge: i.Name}
	if err := h.free(&j); err != nil {
		return job{}, err
	}
	var err error
	if j.manager, j.files, err = s.outOfFiles(i, p); err != nil {
		return job{}, refusal(err)
	}
	j.move, err = h.kernel.back(j.bridge, j.nic, nil)
	j.warnings = append(j.warnings, j.move.Warnings...)
	return j, err
}

// outOfFiles works out the files that say of the port what they said of the bridge;
// none where they said nothing.
func (s sight) outOfFiles(i api.HostInterface, p spec.HostInterface) (netfiles.Manager, []netfiles.Change, error) {
	d, there := s.defined[i.Name]
	if !there {
		return "", nil, nil
	}
	e := newEdits(s.tree)
	if err := e.undefine(s, i.Name); err != nil {
		return "", nil, err
	}
	changes, err := netfiles.Define(e.tree, d.Manager, p)
	e.add(changes)
	return d.Manager, e.changes(), err
}

// unbridgeFiles changes files only, and takes the bridge down when it is up: virsh
// destroys it, too, and leaves the port as it is.
func (h *Host) unbridgeFiles(ctx context.Context, s sight, i api.HostInterface, p spec.HostInterface) error {
	_, changes, err := s.outOfFiles(i, p)
	if err != nil {
		return err
	}
	r := rewriting{Name: i.Name, Files: changes}
	if r.Before, err = h.definition(i.Name); err != nil {
		return err
	}
	if err := h.rewrite(ctx, "take "+p.Name+" out of", r); err != nil || i.Live == nil {
		return err
	}
	now, err := h.look()
	if err != nil {
		return err
	}
	return h.takeDown(ctx, now, i)
}
