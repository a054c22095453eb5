package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"kvmnet/internal/kernel"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
)

// Host is what the loop observes and changes.
type Host interface {
	Observe(ctx context.Context) (plan.State, error)
	// Glance returns of links of the daemon's namespace what Observe does: the links
	// themselves, their up state, settings and isolation. Those that are not there are
	// left out.
	Glance(ctx context.Context, links []string) (plan.State, error)
	// Apply does the ops in order and returns an error, or nil, for each it tried.
	// It stops behind the first that fails.
	Apply(ctx context.Context, ops []plan.Op) []error
	// Watch calls wake whenever something changed, until ctx ends.
	Watch(ctx context.Context, wake func()) error
}

// System is the Host of the real kernel: the daemon's network namespace, and those
// of routers.
type System struct {
	home    *namespace
	routers *routers
}

// Open binds to the daemon's namespace. Those of routers are kept in a directory,
// "" for that of ip-netns(8).
func Open(ns *netns.NS, dir string) (*System, error) {
	if dir == "" {
		dir = netns.Dir
	}
	id, err := ns.ID()
	if err != nil {
		return nil, err
	}
	s := &System{routers: newRouters(netns.Directory(dir), id)}
	if s.home, err = bind(ns, "", s.kernelOf); err != nil {
		return nil, err
	}
	s.routers.peers = s.kernelOf
	return s, nil
}

// Close releases the connections; the kernel keeps everything.
func (s *System) Close() error { return errors.Join(s.home.close(), s.routers.close()) }

// Namespace returns a namespace by its name, "" being the daemon's own: where to
// open sockets, and who knows its links and rules. They stay the same as long as
// the namespace lives. Whoever keeps them asks again with every pass: they are
// closed some seconds after the namespace went, and one that was made anew under
// its name has others.
func (s *System) Namespace(name string) (*netns.NS, *kernel.Kernel, *nft.Conn, bool) {
	if n, there := s.find(name); there {
		return n.ns, n.kernel, n.rules, true
	}
	return nil, nil, nil, false
}

func (s *System) find(name string) (*namespace, bool) {
	if name == "" {
		return s.home, true
	}
	return s.routers.find(name)
}

func (s *System) kernelOf(name string) (*kernel.Kernel, bool) {
	n, there := s.find(name)
	if !there {
		return nil, false
	}
	return n.kernel, true
}

// Observe implements Host. Of a namespace that is not ours only the name is seen.
func (s *System) Observe(ctx context.Context) (plan.State, error) {
	ours, foreign, err := s.routers.look()
	if err != nil {
		return nil, err
	}
	have, states, err := observeAll(ctx, s.home, ours)
	if err != nil {
		return nil, err
	}
	for i, state := range states {
		if key := (plan.Netns{Name: ours[i].name}).Key(); state[key].Owner() == "" {
			s.routers.disown(ours[i])
			have[key] = state[key]
			continue
		}
		maps.Copy(have, state)
	}
	for _, name := range foreign {
		have.Add(plan.Netns{Name: name})
	}
	return have, nil
}

// Glance implements Host.
func (s *System) Glance(ctx context.Context, links []string) (plan.State, error) {
	return s.home.kernel.Glance(ctx, links)
}

// observeAll looks into the daemon's namespace and several others, as many at a
// time as there are processors.
func observeAll(ctx context.Context, home *namespace, others []*namespace) (have plan.State, states []plan.State, err error) {
	states = make([]plan.State, len(others))
	errs := make([]error, len(others)+1)
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	in := func(n *namespace, state *plan.State, err *error) {
		turns <- struct{}{}
		wg.Go(func() {
			*state, *err = n.observe(ctx)
			<-turns
		})
	}
	in(home, &have, &errs[len(others)])
	for i, n := range others {
		in(n, &states[i], &errs[i])
	}
	wg.Wait()
	return have, states, errors.Join(errs...)
}

// Apply implements Host. Runs of neighbouring ops for the same room in the same
// namespace go together: rules in one transaction, deleted links in one request.
func (s *System) Apply(ctx context.Context, ops []plan.Op) []error {
	var errs []error
	for len(errs) < len(ops) && errors.Join(errs...) == nil {
		rest := ops[len(errs):]
		n := slices.IndexFunc(rest, func(o plan.Op) bool { return placeOf(o) != placeOf(rest[0]) })
		if n < 0 {
			n = len(rest)
		}
		errs = append(errs, s.applyAt(ctx, placeOf(rest[0]), rest[:n])...)
	}
	return errs
}

// place is where an op is done.
type place struct {
	ns   string
	room room
}

type room int

const (
	toLinks room = iota
	toRules
	toNamespaces
)

func placeOf(o plan.Op) place {
	key := o.Object.Key()
	switch {
	case key.Kind == plan.KindNetns:
		return place{key.NS, toNamespaces}
	case key.Kind <= plan.KindElement, key.Kind == plan.KindRedirect:
		return place{key.NS, toRules}
	}
	return place{key.NS, toLinks}
}

// applyAt does ops of one place. In a namespace that is gone everything is deleted
// already.
func (s *System) applyAt(ctx context.Context, at place, ops []plan.Op) []error {
	if at.room == toNamespaces {
		return s.routers.apply(ctx, ops)
	}
	n, there := s.find(at.ns)
	switch {
	case !there && ops[0].Verb == plan.Del:
		return []error{nil}
	case !there:
		return []error{fmt.Errorf("%s: network namespace %s is not there any more", ops[0], at.ns)}
	case at.room == toRules:
		return n.rules.Apply(ctx, ops)
	}
	return n.kernel.Apply(ctx, ops)
}

// Watch implements Host. The namespaces of routers are watched as they come and go.
func (s *System) Watch(ctx context.Context, wake func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &watch{wake: wake, failed: make(chan error, 1)}
	w.start(ctx, s.home)
	w.run(ctx, s.routers.dir.Watch)
	s.routers.watchAll(ctx, w)
	var err error
	select {
	case <-ctx.Done():
	case err = <-w.failed:
	}
	s.routers.watchAll(ctx, nil)
	cancel()
	w.running.Wait()
	return err
}
