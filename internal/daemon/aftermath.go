package daemon

import (
	"context"
	"errors"
	"fmt"

	"kvmnet/internal/announce"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
)

// aftermath implements reconcile.Aftermath.
type aftermath struct {
	*announce.Announcer
	system *reconcile.System
}

// Sever implements reconcile.Aftermath. A namespace that went meanwhile has no
// connections.
func (a aftermath) Sever(ctx context.Context, namespaces []string, stale func(plan.Flow) bool) error {
	var errs []error
	for _, name := range namespaces {
		if err := ctx.Err(); err != nil {
			return err
		}
		ns, _, _, there := a.system.Namespace(name)
		if !there {
			continue
		}
		if err := sever(ns, name, stale); err != nil {
			errs = append(errs, fmt.Errorf("namespace %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
