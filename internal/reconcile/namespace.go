package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"kvmnet/internal/kernel"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
)

// namespace is one network namespace with the rooms that look after it.
type namespace struct {
	name   string
	id     uint64
	ns     *netns.NS
	kernel *kernel.Kernel
	rules  *nft.Conn
	unwake context.CancelFunc // ends its watch; nil = it is not watched
}

// bind opens the rooms in a namespace, which stays the caller's.
func bind(ns *netns.NS, name string, peers func(string) (*kernel.Kernel, bool)) (*namespace, error) {
	id, err := ns.ID()
	if err != nil {
		return nil, err
	}
	k, err := kernel.Open(ns, name, kernel.Peers(peers))
	if err != nil {
		return nil, err
	}
	r, err := nft.Open(ns, name)
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return &namespace{name: name, id: id, ns: ns, kernel: k, rules: r}, nil
}

// close ends the connections, and leaves the namespace open.
func (n *namespace) close() error { return errors.Join(n.rules.Close(), n.kernel.Close()) }

func (n *namespace) observe(ctx context.Context) (plan.State, error) {
	have, err := n.kernel.Observe(ctx)
	if err == nil {
		var rules plan.State
		rules, err = n.rules.Observe(ctx)
		maps.Copy(have, rules)
	}
	if err != nil && n.name != "" {
		return nil, fmt.Errorf("network namespace %s: %w", n.name, err)
	}
	return have, err
}

// watch is one call of System.Watch.
type watch struct {
	wake    func()
	running sync.WaitGroup
	failed  chan error // the first failure
}

// start watches a namespace until ctx ends.
func (w *watch) start(ctx context.Context, n *namespace) {
	w.run(ctx, n.kernel.Watch)
	w.run(ctx, n.rules.Watch)
}

func (w *watch) run(ctx context.Context, listen func(context.Context, func()) error) {
	w.running.Go(func() {
		if err := listen(ctx, w.wake); err != nil && ctx.Err() == nil {
			select {
			case w.failed <- err:
			default:
			}
		}
	})
}
