package hostnet

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/confirm"
	"kvmnet/internal/hostlink"
	"kvmnet/internal/netfiles"
)

// bridging reverts and finishes conversions.
type bridging struct{ h *Host }

// Revert implements confirm.Kind. No file was written yet but the shield. That goes
// last: a manager must not see what is between. Each step may be done already.
func (b bridging) Revert(ctx context.Context, c confirm.Change) error {
	var then before
	if err := json.Unmarshal(c.Before, &then); err != nil {
		return fmt.Errorf("read what there was before %s: %w", c.What, err)
	}
	if err := b.h.shieldBack(ctx, then); err != nil {
		return err
	}
	if err := b.h.kernel.revert(ctx, then.Kernel); err != nil {
		return err
	}
	if err := b.h.put(ctx, then.Manager, netfiles.Unshield(then.Shield)); err != nil {
		return err
	}
	return b.h.unshieldBack(ctx, then)
}

// shieldBack keeps a manager from a NIC that leaves its bridge, and so is a new link to
// it, while it gets its own back.
func (h *Host) shieldBack(ctx context.Context, then before) error {
	bare, err := h.isBarePort(then.NIC)
	if err != nil || !bare {
		return err
	}
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return err
	}
	return h.put(ctx, then.Manager, netfiles.ShieldBack(tree, then.Manager, netfiles.Conversion{NIC: then.NIC, Bridge: then.Bridge}))
}

// unshieldBack lets the manager have the NIC again, unless it is a port, as it was.
func (h *Host) unshieldBack(ctx context.Context, then before) error {
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return err
	}
	back := netfiles.UnshieldBack(tree, then.Manager, then.NIC)
	if err := h.put(ctx, then.Manager, back); err != nil || len(back) == 0 {
		return err
	}
	h.tell(ctx, then.NIC)
	return nil
}

// tell has a manager hear what a NIC has that is its again.
func (h *Host) tell(ctx context.Context, nic string) {
	s, err := hostlink.Look(h.NS, nic)
	if err == nil {
		err = hostlink.Apply(ctx, h.NS, hostlink.Tell(s), nil)
	}
	if err != nil {
		h.Log.Warn("tell the network manager what an interface has", "interface", nic, "error", err)
	}
}

// isBarePort reports whether a NIC is a port without addresses of its own but those that
// every link has.
func (h *Host) isBarePort(nic string) (bool, error) {
	r, err := h.rtnetlink()
	if err != nil {
		return false, err
	}
	defer r.Close()
	l, err := r.LinkByName(nic)
	if err != nil {
		return false, nil // it is gone, which the kernel tells
	}
	all, err := r.AddrList(l, unix.AF_UNSPEC)
	own := slices.ContainsFunc(all, func(a netlink.Addr) bool { return !a.IP.IsLinkLocalUnicast() || a.IP.To4() != nil })
	return err == nil && l.Attrs().MasterIndex != 0 && !own, err
}

// Finish implements confirm.Kind: write the files, keep or remove the record, and tell
// the manager. The record is there before the files of a conversion are, and as long
// as those of its undoing are not, so that there is always a way back.
func (b bridging) Finish(ctx context.Context, c confirm.Change) error {
	var next after
	if err := json.Unmarshal(c.After, &next); err != nil {
		return fmt.Errorf("read what is to do after %s: %w", c.What, err)
	}
	r := next.Record
	if next.Into {
		if err := b.h.keep(r); err != nil {
			return err
		}
	}
	if err := netfiles.Write(b.h.Root, r.Files); err != nil {
		return fmt.Errorf("write the files of %s: %w", r.Manager, err)
	}
	if !next.Into {
		if err := b.h.forget(r.Bridge); err != nil {
			return err
		}
	}
	if err := netfiles.Write(b.h.Root, netfiles.Undo(next.Shield)); err != nil {
		return fmt.Errorf("let %s have %s again: %w", r.Manager, c.What, err)
	}
	b.h.reload(ctx, r.Manager, r.Files)
	if !next.Into && len(next.Shield) > 0 {
		b.h.tell(ctx, r.NIC)
	}
	return nil
}

// put writes files and tells their manager.
func (h *Host) put(ctx context.Context, m netfiles.Manager, files []netfiles.Change) error {
	if err := netfiles.Write(h.Root, files); err != nil {
		return fmt.Errorf("write files of %s: %w", m, err)
	}
	h.reload(ctx, m, files)
	return nil
}

// reload has a manager that runs read its files again. The host is as they say by now,
// so that one that does not answer is no failure of the change.
func (h *Host) reload(ctx context.Context, m netfiles.Manager, files []netfiles.Change) {
	for _, line := range netfiles.Reload(m, files, h.asker()) {
		if err := h.Run(ctx, strings.Fields(line)); err != nil {
			h.Log.Warn("tell the network manager of its new files", "manager", m, "error", err)
		}
	}
}

// asker asks which managers run in this system.
func (h *Host) asker() netfiles.Asker { return netfiles.System{Root: h.Root} }

// run runs a command of a network manager.
func run(ctx context.Context, words []string) error {
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %.200s", strings.Join(words, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
