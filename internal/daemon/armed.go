package daemon

import (
	"context"
	"fmt"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
	"kvmnet/internal/manage"
)

// applyKind is the kind of changes of definitions that wait for a confirmation.
const applyKind = "apply"

// armed implements manage.Armed, and reverts what was applied.
type armed struct{ d *daemon }

// Arm implements manage.Armed.
func (a armed) Arm(ctx context.Context, c manage.ArmedChange, do func(context.Context) error) (api.HostChange, string, error) {
	return a.d.host.Arm(ctx, confirm.Change{Kind: applyKind, What: c.What, Holds: c.Holds, Within: c.Within, Before: c.Before, Lasting: true}, c.Peer, do)
}

// Rollback implements manage.Armed.
func (a armed) Rollback(ctx context.Context, id, why string) error {
	_, err := a.d.host.RollbackChange(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", why, err)
	}
	return nil
}

// Revert implements confirm.Kind. Definitions are changed while the loop runs, so that
// they and the kernel go together.
func (a armed) Revert(ctx context.Context, c confirm.Change) error {
	if !a.d.up.Load() {
		return confirm.ErrLater
	}
	return a.d.manager.Unapply(ctx, c.Before)
}

// Finish implements confirm.Kind: definitions are on disk as they are to be.
func (armed) Finish(context.Context, confirm.Change) error { return nil }
