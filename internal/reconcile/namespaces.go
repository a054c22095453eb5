package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"kvmnet/internal/kernel"
	"kvmnet/internal/netns"
)

// grace is how long a namespace that went stays open for those who got it from
// System.Namespace. They hear of it with the pass that missed it.
const grace = 5 * time.Second

// routers are the namespaces of routers. Which are there is read from the directory
// with every look; a name that somebody took away, or gave to another namespace,
// is not ours any more, although our own handle keeps the old one alive.
type routers struct {
	dir   netns.Directory
	home  uint64 // the daemon's own, which is never a router's
	grace time.Duration
	peers func(string) (*kernel.Kernel, bool)

	mu      sync.Mutex
	open    map[string]*namespace
	foreign map[string]uint64 // by name, so that strangers are asked once
	gone    map[*namespace]*time.Timer
	watch   *watch // nil = nobody watches
	ctx     context.Context
}

func newRouters(dir netns.Directory, home uint64) *routers {
	return &routers{
		dir: dir, home: home, grace: grace,
		open: map[string]*namespace{}, foreign: map[string]uint64{}, gone: map[*namespace]*time.Timer{},
	}
}

func (s *routers) find(name string) (*namespace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, there := s.open[name]
	return n, there
}

// look reads the directory: namespaces that are ours and are open now, and the
// names of others.
func (s *routers) look() (ours []*namespace, foreign []string, err error) {
	entries, err := s.dir.List()
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.compare(entries)
	for _, e := range entries {
		n, err := s.recognise(e)
		switch {
		case err != nil:
			return nil, nil, err
		case n != nil:
			ours = append(ours, n)
		default:
			foreign = append(foreign, e.Name)
		}
	}
	return ours, foreign, nil
}

// compare drops what the directory does not hold any more.
func (s *routers) compare(entries []netns.Entry) {
	there := make(map[string]uint64, len(entries))
	for _, e := range entries {
		there[e.Name] = e.ID
	}
	for name := range s.open {
		s.forget(name, there[name])
	}
	for name := range s.foreign {
		s.forget(name, there[name])
	}
}

// forget drops what is known of a name unless it is that of the given namespace.
func (s *routers) forget(name string, id uint64) {
	if n, ours := s.open[name]; ours && n.id != id {
		s.retire(n, n.kernel.Clear)
	}
	if s.foreign[name] != id {
		delete(s.foreign, name)
	}
}

// recognise returns the namespace of an entry when it is ours, nil when not. A
// second name of one that is open counts as a stranger's.
func (s *routers) recognise(e netns.Entry) (*namespace, error) {
	if n, there := s.open[e.Name]; there {
		return n, nil
	}
	if s.foreign[e.Name] == e.ID || e.ID == s.home || s.hasID(e.ID) {
		return nil, nil
	}
	ns, err := s.dir.Open(e.Name)
	switch {
	case errors.Is(err, netns.ErrNotBound), errors.Is(err, fs.ErrNotExist): // of another kind, or gone
		s.foreign[e.Name] = e.ID
		return nil, nil
	case err != nil:
		return nil, err
	}
	n, err := s.adopt(ns, e.Name)
	if n == nil {
		err = errors.Join(err, ns.Close())
	}
	return n, err
}

func (s *routers) hasID(id uint64) bool {
	for _, n := range s.open {
		if n.id == id {
			return true
		}
	}
	return false
}

// adopt takes in a namespace that is found to be ours, and remembers one that is
// not.
func (s *routers) adopt(ns *netns.NS, name string) (*namespace, error) {
	n, err := bind(ns, name, s.peers)
	if err != nil {
		return nil, fmt.Errorf("network namespace %s: %w", name, err)
	}
	owner, err := n.kernel.Owner()
	if err == nil && owner != "" {
		s.take(n)
		return n, nil
	}
	if err == nil {
		s.foreign[name] = n.id
	}
	return nil, errors.Join(err, n.close())
}

// take makes a namespace one of ours, and watches it if the others are.
func (s *routers) take(n *namespace) {
	s.open[n.name] = n
	delete(s.foreign, n.name)
	if s.watch != nil {
		s.wakeBy(n)
	}
}

func (s *routers) wakeBy(n *namespace) {
	var ctx context.Context
	ctx, n.unwake = context.WithCancel(s.ctx)
	s.watch.start(ctx, n)
}

// watchAll watches the namespaces there are and those that come; nil ends it.
func (s *routers) watchAll(ctx context.Context, w *watch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch, s.ctx = w, ctx
	for _, n := range s.open {
		if w != nil {
			s.wakeBy(n)
		} else if n.unwake != nil {
			n.unwake()
		}
	}
}

// retire takes a namespace out. Its connections are closed a little later, after
// a last word to it.
func (s *routers) retire(n *namespace, last func() error) {
	delete(s.open, n.name)
	if n.unwake != nil {
		n.unwake()
	}
	s.gone[n] = time.AfterFunc(s.grace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, there := s.gone[n]; there {
			delete(s.gone, n)
			last()
			n.close()
			n.ns.Close()
		}
	})
}

// disown lets go of a namespace that is not marked as ours any more.
func (s *routers) disown(n *namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreign[n.name] = n.id
	s.retire(n, func() error { return nil })
}

func (s *routers) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for n, timer := range s.gone {
		timer.Stop()
		errs = append(errs, n.close(), n.ns.Close())
	}
	for _, n := range s.open {
		errs = append(errs, n.close(), n.ns.Close())
	}
	clear(s.gone)
	clear(s.open)
	return errors.Join(errs...)
}
