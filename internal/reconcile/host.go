package reconcile

import (
	"context"
	"errors"

	"kvmnet/internal/kernel"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
)

// Host is what the loop observes and changes.
type Host interface {
	Observe(ctx context.Context) (plan.State, error)
	// Apply does the ops in order and returns an error, or nil, for each it tried.
	// It stops behind the first that fails.
	Apply(ctx context.Context, ops []plan.Op) []error
	// Watch calls wake whenever something changed, until ctx ends.
	Watch(ctx context.Context, wake func()) error
}

// System is the Host of the real kernel, in one network namespace.
type System struct {
	kernel *kernel.Kernel
	rules  *nft.Conn
}

// Open binds to a namespace.
func Open(ns *netns.NS) (*System, error) {
	k, err := kernel.Open(ns, "")
	if err != nil {
		return nil, err
	}
	r, err := nft.Open(ns, "")
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return &System{k, r}, nil
}

// Close releases the connections; the kernel keeps everything.
func (s *System) Close() error { return errors.Join(s.rules.Close(), s.kernel.Close()) }

// Observe implements Host.
func (s *System) Observe(ctx context.Context) (plan.State, error) {
	have, err := s.kernel.Observe(ctx)
	if err != nil {
		return nil, err
	}
	rules, err := s.rules.Observe(ctx)
	if err != nil {
		return nil, err
	}
	for k, o := range rules {
		have[k] = o
	}
	return have, nil
}

// Apply implements Host. Runs of neighbouring ops for the same room go together:
// rules in one transaction, deleted links in one request.
func (s *System) Apply(ctx context.Context, ops []plan.Op) []error {
	var errs []error
	for len(errs) < len(ops) && errors.Join(errs...) == nil {
		rest, n := ops[len(errs):], 1
		for n < len(rest) && forRules(rest[n]) == forRules(rest[0]) {
			n++
		}
		apply := s.kernel.Apply
		if forRules(rest[0]) {
			apply = s.rules.Apply
		}
		errs = append(errs, apply(ctx, rest[:n])...)
	}
	return errs
}

func forRules(o plan.Op) bool { return o.Object.Key().Kind <= plan.KindElement }

// Watch implements Host.
func (s *System) Watch(ctx context.Context, wake func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 2)
	go func() { done <- s.kernel.Watch(ctx, wake) }()
	go func() { done <- s.rules.Watch(ctx, wake) }()
	err := <-done
	cancel()
	return errors.Join(err, <-done)
}
