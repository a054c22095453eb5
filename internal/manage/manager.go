package manage

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"runtime"
	"strconv"
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
	store     keeper
	engine    *reconcile.Engine
	guests    Guests
	insight   Insight
	log       *slog.Logger
	ns        *netns.NS
	version   string
	configDir string
	started   time.Time
	events    hub
	sights    sights
	openTap   func(Tap) ([]*os.File, error)
	armed     Armed
	reaper    reaper

	// changing makes definitions change one request at a time, from reading them
	// to the pass that puts them in force.
	changing sync.Mutex

	storing sync.Mutex // around writing what belongs together, and reading it

	definedIDs, runningIDs identity // guarded by storing
	lives                  lives
}

// keeper is what the room needs of a store; its two halves are told in
// package store.
type keeper interface {
	Defined() (*spec.Spec, error)
	Running() (*spec.Spec, error)
	Define(*spec.Spec) error
	Run(*spec.Spec) error
	Undefine(kind, name string) error
	Stop(kind, name string) error
	FirstSinceBoot() (bool, error)
	Booted() error
	HostID() (string, error)
}

// Options are what a Manager needs; all but Insight and Log are required.
type Options struct {
	Store     *store.Store
	NS        *netns.NS // the namespace whose network is managed, for test hosts
	Version   string
	ConfigDir string
	Insight   Insight      // nil = nothing is known but what the loop sees
	Log       *slog.Logger // nil = none

	// OpenTap makes taps for programs of users; nil = nobody does. An interface of the
	// name is EBUSY.
	OpenTap func(Tap) ([]*os.File, error)

	// Armed has changes wait for a confirmation; nil = nobody does.
	Armed Armed
}

// New makes a manager. Attach gives it its loop and its guests.
func New(o Options) *Manager {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Insight == nil {
		o.Insight = blind{}
	}
	return &Manager{store: o.Store, ns: o.NS, insight: o.Insight, version: o.Version, configDir: o.ConfigDir, log: o.Log, started: time.Now(), openTap: o.OpenTap, armed: o.Armed}
}

// Attach gives the manager the loop that was made with its Live, UIDs, Passed
// and Step, and what knows the guests.
func (m *Manager) Attach(e *reconcile.Engine, g Guests) { m.engine, m.guests = e, g }

// begin waits for the turn of a request that changes definitions, and returns the
// world as it is then. The caller unlocks m.changing. A request whose client went
// while it waited changes nothing.
func (m *Manager) begin(ctx context.Context) (world, error) {
	m.changing.Lock()
	err := ctx.Err()
	var w world
	if err == nil {
		w, err = m.world()
	}
	if err != nil {
		m.changing.Unlock()
	}
	return w, internal(err)
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

// uid returns a user's number. A number needs no user: the kernel gives a tap to
// any.
func uid(owner string) (string, error) {
	if id, err := strconv.ParseUint(owner, 10, 32); err == nil {
		return strconv.FormatUint(id, 10), nil
	}
	u, err := user.Lookup(owner)
	if err != nil {
		return "", fmt.Errorf("find user %s: %w", owner, err)
	}
	return u.Uid, nil
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
	w, err := m.world()
	if err != nil {
		return api.Status{}, internal(err)
	}
	all := w.all()
	st := api.Status{Version: m.version, PID: os.Getpid(), Goroutines: runtime.NumGoroutine(), Started: m.started, Paused: s.Paused, ConfigDir: m.configDir,
		Networks: len(all.Networks), Running: len(w.running.Networks), Ports: len(all.Ports),
		Routers: len(all.Routers), Forwards: len(all.Forwards), Policies: len(all.Policies),
		LastPass: s.Last.At, PassTook: s.Last.Took.Round(time.Microsecond).String(), Repairs: s.Repairs,
		Uplinks: union(s.Last.Facts.Uplinks4, s.Last.Facts.Uplinks6), Problems: append([]string{}, told(s.Last)...)}
	if err := m.guests.Err(); err != nil {
		st.Problems = union(st.Problems, []string{"host: leases cannot be written, so none are given: " + err.Error()})
	}
	return st, nil
}

// Pause implements api.Service.
func (m *Manager) Pause(ctx context.Context, on bool) error {
	return internal(m.engine.Pause(ctx, on))
}
