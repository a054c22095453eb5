package hostnet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// StartInterface implements api.InterfaceService. A bridge that takes over the
// addresses of its port does so as a conversion does: that is reverted unless it is
// confirmed.
func (h *Host) StartInterface(ctx context.Context, r api.InterfaceAction) (api.InterfaceChange, error) {
	s, i, err := h.findTop(r.Name)
	switch {
	case err != nil:
		return api.InterfaceChange{}, err
	case i.Active:
		return api.InterfaceChange{}, because(api.ReasonInterfaceActive, "%s is up already", i.Name)
	case i.Defined == nil:
		return api.InterfaceChange{Interface: i.Name}, h.alone(func() error { return h.bringUp(ctx, s, "", *i.Live) })
	}
	def := i.Defined.Clone()
	def.Default()
	carriers := s.carriers(def)
	if def.Type == spec.BridgeInterface && len(carriers) == 1 && len(def.Ports()) == 1 && i.Live == nil {
		c, err := h.takeOver(ctx, def, r.Peer)
		return api.InterfaceChange{Interface: def.Name, Port: carriers[0], Conversion: &c}, err
	}
	if name, is := h.sessionBy(r.Peer, carriers); is && !r.Force {
		return api.InterfaceChange{}, conflict(fmt.Sprintf("start %s: your session comes by %s, which would lose its addresses: 'kvmnet bridge convert %[2]s' moves them without an interruption; or say it with force", def.Name, name))
	}
	err = h.alone(func() error { return h.bringUp(ctx, s, s.defined[def.Name].Manager, def) })
	if err == nil {
		err = h.awaitLease(ctx, def.Name) // while others have their turn
	}
	return api.InterfaceChange{Interface: def.Name}, err
}

// findTop finds an interface that is no port of another one.
func (h *Host) findTop(word string) (sight, api.HostInterface, error) {
	s, err := h.look()
	if err != nil {
		return s, api.HostInterface{}, refuse(err)
	}
	i, err := s.find(word)
	if _, top := s.live[i.Name]; err == nil && !top && s.isPort(i.Name) {
		err = conflict(i.Name + " is a port: start and stop what it is a port of")
	}
	if err == nil {
		err = h.mayChange(i.Name)
	}
	return s, i, refuse(err)
}

// alone does something while nobody plans a change.
func (h *Host) alone(do func() error) error {
	h.turns.Lock()
	defer h.turns.Unlock()
	return refuse(refusal(do()))
}

// carriers are the ports of an interface that have addresses of their own now.
func (s sight) carriers(i spec.HostInterface) (names []string) {
	for _, p := range i.Ports() {
		if l, there := s.live[p.Name]; there && l.Up && hasAddresses(l.HostInterface) {
			names = append(names, p.Name)
		}
	}
	return names
}

func hasAddresses(i spec.HostInterface) bool {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip != nil && (len(ip.Addresses) > 0 || ip.DHCP) {
			return true
		}
	}
	return false
}

// sessionBy finds which of some interfaces a session comes by.
func (h *Host) sessionBy(p api.Peer, names []string) (string, bool) {
	i := slices.IndexFunc(names, func(name string) bool { _, comes := h.comesBy(p, name); return comes })
	if i < 0 {
		return "", false
	}
	return names[i], true
}

// takeOver moves a port into the bridge that is defined of it. The files say so already.
func (h *Host) takeOver(ctx context.Context, def spec.HostInterface, peer api.Peer) (api.Conversion, error) {
	return h.change(ctx, 0, peer, false, func() (job, error) {
		j := job{nic: def.Ports()[0].Name, bridge: def.Name, into: true}
		if err := errors.Join(h.free(&j), h.mayMoveLease(j.nic)); err != nil {
			return job{}, err
		}
		record, err := h.definition(def.Name)
		if err != nil {
			return job{}, err
		}
		if record != nil {
			j.manager, j.files = record.Manager, record.Files
		}
		j.move, err = h.kernel.into(j.nic, j.bridge, bridgeOptions{def.Bridge.STP, def.Bridge.Delay})
		j.warnings = append(j.warnings, j.move.Warnings...)
		return j, err
	})
}

// StopInterface implements api.InterfaceService.
func (h *Host) StopInterface(ctx context.Context, r api.InterfaceAction) error {
	s, i, err := h.findTop(r.Name)
	switch {
	case err != nil:
		return err
	case !i.Active:
		return because(api.ReasonInterfaceInactive, "%s is not up", i.Name)
	}
	if _, comes := h.comesBy(r.Peer, i.Name); comes && !r.Force {
		return conflict(fmt.Sprintf("stop %s: your session comes by it, and would be cut off: stop it from the console, or say --force", i.Name))
	}
	if taps, err := h.guestsOn(i.Name); err != nil || len(taps) > 0 && !r.Force {
		return refuse(errors.Join(err, conflict(fmt.Sprintf("stop %s: guests are on it, by %s: stop them first, or say --force", i.Name, strings.Join(taps, ", ")))))
	}
	return h.alone(func() error { return h.takeDown(ctx, s, i) })
}
