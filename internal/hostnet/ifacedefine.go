package hostnet

import (
	"context"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// DefineInterface implements api.InterfaceService.
func (h *Host) DefineInterface(ctx context.Context, r api.DefineInterface) (api.DefinedInterface, error) {
	i, notes, err := readInterface(r)
	if err != nil {
		return api.DefinedInterface{}, err
	}
	h.turns.Lock()
	defer h.turns.Unlock()
	d, err := h.planDefinition(i)
	if err == nil && !r.DryRun {
		err = h.define(ctx, d)
	}
	if err != nil {
		return api.DefinedInterface{}, refuse(refusal(err))
	}
	return api.DefinedInterface{Name: i.Name, Manager: string(d.Manager), Files: netfiles.Diff(d.Files), Notes: notes}, nil
}

// planDefinition works out what is written for an interface. What others hold is not
// touched, and a bridge or bond takes over what is defined of its ports.
func (h *Host) planDefinition(i spec.HostInterface) (definition, error) {
	if err := h.mayChange(i.Names()...); err != nil {
		return definition{}, err
	}
	s, err := h.look()
	if err != nil {
		return definition{}, err
	}
	m, err := s.managerOf(i)
	if err != nil {
		return definition{}, err
	}
	e := newEdits(s.tree)
	for _, p := range i.Ports() {
		if err := e.undefine(s, p.Name); err != nil {
			return definition{}, err
		}
	}
	if d, there := s.defined[i.Name]; there && d.Manager != m {
		if err := e.undefine(s, i.Name); err != nil {
			return definition{}, err
		}
	}
	changes, err := netfiles.Define(e.tree, m, i)
	e.add(changes)
	return definition{Name: i.Name, Manager: m, Files: e.changes()}, err
}

// undefine takes what is defined of an interface away, if anything is.
func (e *edits) undefine(s sight, name string) error {
	d, there := s.defined[name]
	if !there {
		return nil
	}
	changes, err := netfiles.Undefine(e.tree, d.Manager, name)
	e.add(changes)
	return err
}

// managerOf finds in whose files an interface is to be: of who has its definition, or
// the device, or the one below it. For one that hangs on nothing it is who has most of
// the others.
func (s sight) managerOf(i spec.HostInterface) (netfiles.Manager, error) {
	for _, name := range i.Names() {
		if d, there := s.defined[name]; there {
			return d.Manager, nil
		}
	}
	for _, name := range i.Names() {
		if _, there := s.tree.Links[name]; !there {
			if _, there = s.live[name]; !there {
				continue
			}
		}
		if m, err := netfiles.Detect(s.tree, name, s.ask); err != nil || m != netfiles.Own {
			return m, err
		}
	}
	return s.usual(), nil
}

// usual is who has most of the definitions.
func (s sight) usual() netfiles.Manager {
	most, count := netfiles.Own, map[netfiles.Manager]int{}
	for _, name := range s.names() {
		if d, there := s.defined[name]; there {
			if count[d.Manager]++; count[d.Manager] > count[most] {
				most = d.Manager
			}
		}
	}
	return most
}

// mayChange refuses interfaces that a change holds which waits, and those that are
// defined among networks.
func (h *Host) mayChange(names ...string) error {
	if err := h.journal.Held(names...); err != nil {
		return err
	}
	var all []string
	for _, name := range names {
		refusals, _ := h.Claims(name)
		all = append(all, refusals...)
	}
	if len(all) > 0 {
		return conflict(strings.Join(all, "\n"))
	}
	return nil
}

// define writes a definition.
func (h *Host) define(ctx context.Context, d definition) error {
	old, err := h.definition(d.Name)
	if err != nil {
		return err
	}
	r := rewriting{Name: d.Name, Files: d.Files, Before: old, After: &d}
	if old != nil {
		d = old.followedBy(d)
	}
	return h.rewrite(ctx, "define", r)
}

// UndefineInterface implements api.InterfaceService.
func (h *Host) UndefineInterface(ctx context.Context, name string) error {
	h.turns.Lock()
	defer h.turns.Unlock()
	s, err := h.look()
	if err != nil {
		return refuse(err)
	}
	i, err := s.find(name)
	switch {
	case err != nil:
		return err
	case i.Defined == nil:
		return because(api.ReasonNotDefined, "%s is in no file of a network manager", i.Name)
	}
	if err := h.mayChange(i.Name); err != nil {
		return refuse(err)
	}
	r, err := h.undefinition(s, i.Name)
	if err == nil {
		err = h.rewrite(ctx, "undefine", r)
	}
	return refuse(refusal(err))
}

// undefinition works out what takes a definition away: the way back of how it was
// defined, as long as the files are as that left them, and there was none before.
func (h *Host) undefinition(s sight, name string) (rewriting, error) {
	r := rewriting{Name: name}
	var err error
	if r.Before, err = h.definition(name); err != nil {
		return r, err
	}
	if record := r.Before; record != nil && record.stands(s.tree) {
		e := newEdits(s.tree)
		r.Files = netfiles.Undo(record.Files)
		e.add(r.Files)
		if before, err := netfiles.Defined(e.tree, record.Manager, name); err == nil && before == nil {
			return r, nil
		}
	}
	r.Files, err = netfiles.Undefine(s.tree, s.defined[name].Manager, name)
	return r, err
}
