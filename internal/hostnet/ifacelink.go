package hostnet

import (
	"context"
	"errors"
	"fmt"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/spec"
)

// startLink brings an interface up without a manager, or leaves no device that it made.
// Ports give their addresses up: those are the bridge's.
func (h *Host) startLink(ctx context.Context, i spec.HostInterface) error {
	live, err := h.lives()
	if err == nil {
		err = h.hardware(i)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", i.Name, err)
	}
	var ops []hostlink.Op
	for _, p := range i.Ports() {
		if l, top := live[p.Name]; top && l.Type == spec.EthernetInterface {
			ops = append(ops, hostlink.Stop(l.HostInterface)...)
		}
	}
	start, acquire := hostlink.Start(unleased(i))
	if acquire.IPv6 {
		h.Log.Warn("nobody asks for an address by DHCPv6: kvmnet has no client for it", "interface", i.Name)
	}
	err = hostlink.Apply(ctx, h.NS, append(ops, start...), nil)
	h.LookAtLeases()
	if err == nil {
		return nil
	}
	err = fmt.Errorf("start %s: %w", i.Name, err)
	if _, was := live[i.Name]; !was && i.Type != spec.EthernetInterface {
		err = errors.Join(err, h.undoStart(ctx, i, live))
	}
	return err
}

// hardware reports what is missing that cannot be made.
func (h *Host) hardware(i spec.HostInterface) error {
	names := []string{}
	switch {
	case i.VLAN != nil:
		names = append(names, i.VLAN.On)
	case i.Type == spec.EthernetInterface:
		names = append(names, i.Name)
	}
	for _, p := range i.Ports() {
		names = append(names, p.Name)
	}
	var errs []error
	for _, name := range names {
		there, err := h.kernel.exists(name)
		if err == nil && !there {
			err = conflict("there is no device " + name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// undoStart takes a device away that was made in vain, and gives its ports back what
// they had.
func (h *Host) undoStart(ctx context.Context, i spec.HostInterface, before map[string]hostlink.Listed) error {
	now, err := h.lives()
	made, there := now[i.Name]
	if err != nil || !there {
		return err
	}
	ops := hostlink.Stop(made.HostInterface)
	for _, p := range i.Ports() {
		if l, was := before[p.Name]; was && l.Up {
			back, _ := hostlink.Start(l.HostInterface)
			ops = append(ops, back...)
		}
	}
	return hostlink.Apply(context.WithoutCancel(ctx), h.NS, ops, nil)
}

func (h *Host) stopLink(ctx context.Context, i spec.HostInterface) error {
	if err := hostlink.Apply(ctx, h.NS, hostlink.Stop(i), nil); err != nil {
		return fmt.Errorf("stop %s: %w", i.Name, err)
	}
	return nil
}

// lives are the interfaces of the kernel that are no ports, by name.
func (h *Host) lives() (map[string]hostlink.Listed, error) {
	list, err := hostlink.List(h.NS)
	live := map[string]hostlink.Listed{}
	for _, l := range list {
		live[l.Name] = l
	}
	return live, err
}
