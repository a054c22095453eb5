package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
)

// nothing is wanted by a daemon that only cleans.
func nothing() (*spec.Spec, error) { return &spec.Spec{}, nil }

// clean takes away all that is ours, gives back what was borrowed, and ends.
func (d *daemon) clean(ctx context.Context) error {
	if err := d.prepare(ctx, nothing); err != nil {
		return err
	}
	turning, stop := context.WithCancel(ctx)
	looping := make(chan error, 1)
	go func() { looping <- d.engine.Run(turning) }()
	r, err := d.engine.Sync(ctx)
	stop()
	return errors.Join(err, <-looping, left(r))
}

// left tells what could not be taken away.
func left(r reconcile.Report) error {
	if !r.Failed && !r.Degraded {
		return nil
	}
	var lines []string
	for _, owner := range slices.Sorted(maps.Keys(r.Problems)) {
		lines = append(lines, owner+": "+strings.Join(r.Problems[owner], "; "))
	}
	return fmt.Errorf("take everything away: %s; call it again", strings.Join(lines, "; "))
}
