package hostnet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// StartOwn brings up the interfaces whose configuration kvmnet itself has, once in a
// boot: what somebody stops afterwards stays down. The others are their managers'.
func (h *Host) StartOwn(ctx context.Context) error {
	h.turns.Lock()
	defer h.turns.Unlock()
	mark := filepath.Join(h.StateDir, "interfaces-started")
	if text, err := os.ReadFile(mark); err == nil && string(text) == h.journal.Boot {
		return nil
	}
	s, err := h.look()
	if err != nil {
		return err
	}
	err = h.startAll(ctx, s.ownOnBoot())
	return errors.Join(err, writeDurably(mark, []byte(h.journal.Boot)))
}

// ownOnBoot are kvmnet's own interfaces that come up at boot and are not up, by name.
func (s sight) ownOnBoot() (list []spec.HostInterface) {
	for _, name := range s.names() {
		d, there := s.defined[name]
		if there && d.Manager == netfiles.Own && d.Interface.Start != spec.StartNone && !s.live[name].Up {
			i := d.Interface.Clone()
			i.Default()
			list = append(list, i)
		}
	}
	return list
}

// startAll starts interfaces of which some may be below others: as long as one comes up
// the rest is tried again.
func (h *Host) startAll(ctx context.Context, list []spec.HostInterface) error {
	for {
		var errs []error
		left := slices.DeleteFunc(slices.Clone(list), func(i spec.HostInterface) bool {
			err := h.startLink(ctx, i)
			errs = append(errs, err)
			return err == nil
		})
		if len(left) == 0 || len(left) == len(list) {
			return errors.Join(errs...)
		}
		list = left
	}
}
