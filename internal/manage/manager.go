package manage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/netns"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
	"kvmnet/internal/store"
)

// Manager implements api.Service.
type Manager struct {
	store     *store.Store
	engine    *reconcile.Engine
	ns        *netns.NS
	version   string
	configDir string
	started   time.Time
	events    hub

	// changing makes definitions change one request at a time, from reading them
	// to the pass that puts them in force.
	changing sync.Mutex
}

// Options are what a Manager needs; all are required.
type Options struct {
	Store     *store.Store
	NS        *netns.NS // the namespace whose network is managed, for test hosts
	Version   string
	ConfigDir string
}

// New makes a manager. Attach gives it its loop.
func New(o Options) *Manager {
	return &Manager{store: o.Store, ns: o.NS, version: o.Version, configDir: o.ConfigDir, started: time.Now()}
}

// Attach gives the manager the loop that was made with its Live, UIDs, Passed
// and Step.
func (m *Manager) Attach(e *reconcile.Engine) { m.engine = e }

// Boot starts what is to run at boot, once a boot, and what is on demand. It
// changes run marks only; the loop's first pass does the rest.
func (m *Manager) Boot() error {
	m.changing.Lock()
	defer m.changing.Unlock()
	first, err := m.store.FirstSinceBoot()
	if err != nil {
		return err
	}
	defined, unreadable := m.store.Defined()
	start := &spec.Spec{Networks: map[string]*spec.Network{}}
	for name, n := range defined.Networks {
		if first && spec.Truth(n.Autostart) && !n.OnDemand {
			start.Networks[name] = n
		}
	}
	return errors.Join(unreadable, m.store.Run(start), m.demand())
}

// Live returns what is to be on the host now: the networks that run, as they
// run, and every host bridge and port.
func (m *Manager) Live() (*spec.Spec, error) {
	running, err1 := m.store.Running()
	defined, err2 := m.store.Defined()
	if running == nil || defined == nil {
		return nil, errors.Join(err1, err2)
	}
	objs := &spec.Spec{Bridges: defined.Bridges, Ports: defined.Ports}
	return objs.Merge(running), errors.Join(err1, err2)
}

// all returns every object there is: definitions, and what runs without one.
func (m *Manager) all() (*spec.Spec, error) {
	running, err := m.store.Running()
	if running == nil {
		return nil, err
	}
	defined, err := m.store.Defined()
	if defined == nil {
		return nil, err
	}
	return running.Merge(defined), nil
}

// UIDs returns the numbers of the users who own taps.
func (m *Manager) UIDs(s *spec.Spec) map[string]string {
	ids := map[string]string{}
	for _, p := range s.Ports {
		if p.Owner == "" || ids[p.Owner] != "" {
			continue
		}
		if id, err := uid(p.Owner); err == nil {
			ids[p.Owner] = id
		}
	}
	return ids
}

func uid(name string) (string, error) {
	if u, err := user.LookupId(name); err == nil {
		return u.Uid, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("find user %s: %w", name, err)
	}
	return u.Uid, nil
}

// demand starts the on-demand networks that have a port and stops those that
// have none.
func (m *Manager) demand() error {
	live, err := m.Live()
	if live == nil {
		return err
	}
	used := map[string]bool{}
	for _, p := range live.Ports {
		used[p.Network] = true
	}
	defined, _ := m.store.Defined()
	var errs []error
	for name, n := range defined.Networks {
		_, runs := live.Networks[name]
		switch {
		case n.OnDemand && used[name] && !runs:
			errs = append(errs, m.store.Run(&spec.Spec{Networks: map[string]*spec.Network{name: n}}))
			m.events.say("started", "network/"+name, "on demand")
		case n.OnDemand && !used[name] && runs:
			errs = append(errs, m.store.Stop("networks", name))
			m.events.say("stopped", "network/"+name, "no port left")
		}
	}
	return errors.Join(errs...)
}

// sync makes a pass and returns what it did, errors of the kernel included.
func (m *Manager) sync(ctx context.Context) (reconcile.Report, error) {
	r, err := m.engine.Sync(ctx)
	if err != nil {
		return r, internal(err)
	}
	return r, nil
}

// Passed tells the listeners what a pass of the loop did.
func (m *Manager) Passed(r reconcile.Report, asked bool) {
	kind := "repaired"
	if asked {
		kind = "applied"
	}
	for _, op := range r.Ops {
		m.events.say(kind, op.Object.Owner(), op.String())
	}
	for _, owner := range r.Objects() {
		for _, problem := range r.Problems[owner] {
			m.events.say("problem", owner, problem)
		}
	}
}

// Step tells the listeners how far a pass has come.
func (m *Manager) Step(done, total int) {
	m.events.send(api.Event{Time: time.Now(), Type: "progress", Done: done, Total: total})
}

// Status implements api.Service.
func (m *Manager) Status(ctx context.Context) (api.Status, error) {
	s, err := m.engine.Snapshot(ctx)
	if err != nil {
		return api.Status{}, internal(err)
	}
	all, err := m.all()
	if err != nil {
		return api.Status{}, internal(err)
	}
	running, err := m.store.Running()
	if err != nil {
		return api.Status{}, internal(err)
	}
	st := api.Status{Version: m.version, PID: os.Getpid(), Started: m.started, Paused: s.Paused, ConfigDir: m.configDir,
		Networks: len(all.Networks), Running: len(running.Networks), Ports: len(all.Ports),
		LastPass: s.Last.At, PassTook: s.Last.Took.Round(time.Microsecond).String(), Repairs: s.Repairs,
		Uplinks: union(s.Last.Facts.Uplinks4, s.Last.Facts.Uplinks6), Problems: []string{}}
	for _, owner := range s.Last.Objects() {
		for _, problem := range s.Last.Problems[owner] {
			st.Problems = append(st.Problems, owner+": "+problem)
		}
	}
	return st, nil
}

// Pause implements api.Service.
func (m *Manager) Pause(ctx context.Context, on bool) error {
	if err := m.engine.Pause(ctx, on); err != nil {
		return internal(err)
	}
	return nil
}
