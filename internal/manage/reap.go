package manage

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// grace is how long a tap that a program asked for by name may be closed: it takes a
// while to open it, and a guest that starts again opens it again.
const grace = 10 * time.Second

// reaper ends ports that nothing uses any more.
type reaper struct {
	mu    sync.Mutex
	kept  map[string]int       // how many keep a port, whether it is open or not
	idle  map[string]time.Time // since when a port is not open, by its UUID
	used  map[string]bool      // ports of others' taps that were seen open, by their UUID
	timer *time.Timer          // looks again when the next grace ends
	busy  bool                 // ports are being removed
	more  bool                 // and there were others meanwhile
}

// KeepPort says that somebody keeps a port that is opened by name, whether its tap is
// open or not.
func (m *Manager) KeepPort(name string) {
	m.reaper.mu.Lock()
	defer m.reaper.mu.Unlock()
	if m.reaper.kept == nil {
		m.reaper.kept = map[string]int{}
	}
	m.reaper.kept[name]++
}

// LeavePort says that nobody does any more. A port that nobody has open goes at once;
// another one when it is closed.
func (m *Manager) LeavePort(ctx context.Context, name string) {
	m.reaper.mu.Lock()
	if m.reaper.kept[name]--; m.reaper.kept[name] <= 0 {
		delete(m.reaper.kept, name)
	}
	m.reaper.mu.Unlock()
	if err := m.reap(ctx, func(s spent) bool { return s.name == name }); err != nil {
		m.log.Warn("remove a port that was left", "port", name, "error", err)
	}
}

// spent is a held port that nothing uses at the moment.
type spent struct {
	name  string
	port  *spec.Port
	since time.Time // when a tap was closed; zero = the interface is gone
}

// spentPorts are the held ports that nothing uses, sorted by name.
func (m *Manager) spentPorts(w world, have plan.State) (list []spent) {
	m.reaper.mu.Lock()
	defer m.reaper.mu.Unlock()
	idle, used := map[string]time.Time{}, map[string]bool{}
	closed := func(name string, p *spec.Port) {
		since, known := m.reaper.idle[p.UUID]
		if !known {
			since = time.Now()
		}
		idle[p.UUID] = since
		if m.reaper.kept[name] == 0 {
			list = append(list, spent{name, p, since})
		}
	}
	for _, name := range w.running.Names("ports") {
		p := w.running.Ports[name]
		l, there := have.Link("", p.Interface)
		switch {
		case p.Held == spec.HeldOutside && (!there || l.Owner() != ""):
			list = append(list, spent{name: name, port: p})
		case p.Held == spec.HeldOutside && l.Type == string(spec.Tap):
			// Whoever has a descriptor of a tap can make it stay (TUNSETPERSIST), and
			// others make theirs so; one that waits for its first program is left alone.
			if used[p.UUID] = l.Open || m.reaper.used[p.UUID]; used[p.UUID] && !l.Open {
				closed(name, p)
			}
		case p.Held == spec.HeldOpen && !l.Open:
			closed(name, p)
		}
	}
	m.reaper.used = used
	m.reaper.idle = idle
	return list
}

// due are those that go by themselves: of which the interface is gone, and those that
// were closed long enough.
func due(s spent) bool { return s.since.IsZero() || time.Since(s.since) >= grace }

// Looked hears what the loop saw of the host, as it does when an interface goes or a
// tap is closed. It does not wait.
func (m *Manager) Looked(ctx context.Context, have plan.State) {
	w, err := m.world()
	if err != nil {
		return
	}
	list := m.spentPorts(w, have)
	if len(list) == 0 {
		return
	}
	if slices.ContainsFunc(list, due) && m.reaper.begins() {
		go m.reapDue(ctx)
	}
	m.reaper.again(list, m.engine.Wake)
}

// begins reports whether nobody removes ports already; who does goes on.
func (r *reaper) begins() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more = r.busy
	r.busy = true
	return !r.more
}

// ends reports whether there is no more to remove.
func (r *reaper) ends() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy, r.more = r.more, false
	return !r.busy
}

// reapDue removes the ports that are due. The loop cannot wait for itself, so that it
// is done beside it.
func (m *Manager) reapDue(ctx context.Context) {
	for ended := false; !ended; ended = m.reaper.ends() {
		if err := m.reap(ctx, due); err != nil && ctx.Err() == nil {
			m.log.Warn("remove ports that nothing uses", "error", err)
		}
	}
}

// again has the loop look when the next grace ends.
func (r *reaper) again(list []spent, wake func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := time.Duration(0)
	for _, s := range list {
		if left := grace - time.Since(s.since); !s.since.IsZero() && left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	switch {
	case next == 0:
	case r.timer == nil:
		r.timer = time.AfterFunc(next, wake)
	default:
		r.timer.Reset(next)
	}
}

// reap removes the held ports that nothing uses and of which that holds.
func (m *Manager) reap(ctx context.Context, which func(spent) bool) error {
	before, err := m.begin(ctx)
	if err != nil {
		return err
	}
	defer m.changing.Unlock()
	have, err := m.engine.Have(ctx)
	if err != nil {
		return internal(err)
	}
	list := slices.DeleteFunc(m.spentPorts(before, have), func(s spent) bool { return !which(s) })
	if len(list) == 0 {
		return nil
	}
	var names []string
	for _, s := range list {
		names = append(names, s.name)
	}
	return m.forget(ctx, before, "remove port "+strings.Join(names, ", "), names...)
}

// idle are the ports that were made for programs which are gone: their taps are closed.
func (s spent) idle() bool { return !s.since.IsZero() }

// idlePorts lists the taps of those.
func (m *Manager) idlePorts(have plan.State) (list []api.Orphan, err error) {
	w, err := m.world()
	if err != nil {
		return nil, err
	}
	for _, s := range m.spentPorts(w, have) {
		if l, there := have.Link("", s.port.Interface); there && s.idle() {
			list = append(list, api.Orphan{Object: l.String() + ", which no program has open"})
		}
	}
	return list, nil
}

// collectIdle removes them, without the grace.
func (m *Manager) collectIdle(ctx context.Context) ([]api.Orphan, error) {
	have, err := m.engine.Have(ctx)
	if err != nil {
		return []api.Orphan{}, internal(err)
	}
	list, err := m.idlePorts(have)
	if err == nil && len(list) > 0 {
		err = m.reap(ctx, spent.idle)
	}
	return list, err
}
