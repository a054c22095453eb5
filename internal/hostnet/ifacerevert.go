package hostnet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"

	"kvmnet/internal/confirm"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// opening reverts and finishes changes of interfaces.
type opening struct{ h *Host }

// Finish implements confirm.Kind: all stays as it is.
func (opening) Finish(context.Context, confirm.Change) error { return nil }

// Revert implements confirm.Kind. The steps: take conversions back that wait, then
// those that were confirmed, write the files as they were, and, in the boot in which
// it was opened, bring interfaces back to what they were.
func (o opening) Revert(ctx context.Context, c confirm.Change) error {
	var then begun
	if err := json.Unmarshal(c.Before, &then); err != nil {
		return fmt.Errorf("read what there was before %s: %w", c.What, err)
	}
	same := c.Boot == o.h.journal.Boot
	for _, made := range o.h.since(confirm.Entry{Change: c}) {
		if _, err := o.h.journal.Rollback(ctx, made.ID, "iface-rollback"); err != nil {
			return err
		}
	}
	if err := o.h.unbind(ctx, then, same); err != nil {
		return err
	}
	changed, err := o.h.look()
	if err == nil {
		err = o.h.restore(then)
	}
	if err != nil || !same {
		return err // in another boot nothing is up that was made before
	}
	return o.h.relive(ctx, then, changed)
}

// unbind takes conversions back that were confirmed since.
func (h *Host) unbind(ctx context.Context, then begun, live bool) error {
	now, err := h.Conversions(ctx)
	if err != nil {
		return err
	}
	for _, c := range now {
		if slices.Contains(then.Bound, c.Bridge) {
			continue
		}
		if live {
			if err := h.takeOut(ctx, c.Bridge); err != nil {
				return err
			}
		}
		if err := h.forget(c.Bridge); err != nil {
			return err
		}
	}
	return nil
}

// takeOut has a bridge give all back to the NIC that was converted into it.
func (h *Host) takeOut(ctx context.Context, bridge string) error {
	r, err := h.recorded(bridge)
	if err != nil {
		return err
	}
	m, err := h.kernel.back(bridge, r.NIC, r.Own)
	if err == nil {
		err = h.kernel.apply(ctx, m)
	}
	if err != nil {
		return fmt.Errorf("take %s out of %s: %w", r.NIC, bridge, err)
	}
	return nil
}

// restore writes all files as they were, and removes those that are new.
func (h *Host) restore(then begun) error {
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return err
	}
	now := sight{tree: tree}.written()
	var changes []netfiles.Change
	for _, name := range slices.Sorted(maps.Keys(now)) {
		f := now[name]
		old, was := then.Files[name]
		if c := (netfiles.Change{Path: name, Before: append([]byte{}, f.Text...), Mode: f.Mode, UID: f.UID, GID: f.GID, Link: f.Link}); !was {
			changes = append(changes, c)
		} else if c.After, c.Mode = append([]byte{}, old.Text...), old.Mode; !sameFile(c.Before, c.After) {
			changes = append(changes, c)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(then.Files)) {
		if _, is := now[name]; !is {
			f := then.Files[name]
			changes = append(changes, netfiles.Change{Path: name, After: append([]byte{}, f.Text...), Mode: f.Mode, UID: f.UID, GID: f.GID, Link: f.Link, Dirs: missingDirs(tree, name)})
		}
	}
	return netfiles.Write(h.Root, changes)
}

// missingDirs are the directories above a path that are not there, outermost first.
func missingDirs(t netfiles.Tree, file string) (dirs []string) {
	for d := path.Dir(file); d != "/" && !t.Dirs[d]; d = path.Dir(d) {
		dirs = append([]string{d}, dirs...)
	}
	return dirs
}

// relive brings interfaces back to what they were: it stops those that were not up,
// and starts those that are not up any more or were defined in another way meanwhile.
// Bridges that no file makes are others', and stay as they are.
func (h *Host) relive(ctx context.Context, then begun, changed sight) error {
	s, err := h.look()
	if err != nil {
		return err
	}
	for _, name := range s.names() {
		l, there := s.live[name]
		if _, was := then.Up[name]; there && !was && isDefined(name, s, changed) && (l.Up || !isDefined(name, s)) {
			if err := h.takeDown(ctx, s, s.tell(name)); err != nil {
				return fmt.Errorf("stop %s: %w", name, err)
			}
		}
	}
	if s, err = h.look(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(then.Up)) {
		if s.stands(name, then.Up[name], changed) {
			continue
		}
		m, i := netfiles.Manager(""), then.Up[name]
		if d, there := s.defined[name]; there {
			m, i = d.Manager, d.Interface
		}
		if err := h.bringUp(ctx, s, m, i); err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
	}
	return nil
}

// isDefined reports whether files told of an interface at one of some times.
func isDefined(name string, at ...sight) bool {
	return slices.ContainsFunc(at, func(s sight) bool { _, is := s.defined[name]; return is })
}

// stands reports whether an interface that was up needs no start.
func (s sight) stands(name string, was spec.HostInterface, changed sight) bool {
	now, there := s.live[name]
	up := there && now.Up
	if !isDefined(name, s, changed) {
		return was.Type != spec.EthernetInterface || up && sameInterface(now.HostInterface, was)
	}
	return up && sameInterface(s.defined[name].Interface, changed.defined[name].Interface)
}

// sameInterface compares two interfaces.
func sameInterface(a, b spec.HostInterface) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
