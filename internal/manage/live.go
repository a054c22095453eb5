package manage

import (
	"errors"
	"sync"

	"kvmnet/internal/spec"
)

// Live returns what is to be on the host now: the networks that run, as they
// run, and every object of another kind. The error tells of definitions that cannot
// be read, and whose they are; not of networks, though, since how one runs is
// known. Without a spec nothing is known, and nothing may be changed.
func (m *Manager) Live() (*spec.Spec, error) {
	w, err := m.world()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, u := range unreadable(w.unreadable) {
		if errs = append(errs, u); u.Kind == "networks" {
			errs[len(errs)-1] = u.Err
		}
	}
	return m.lives.of(w), errors.Join(errs...)
}

// lives remembers what is live of the last world: while the store has the same
// objects it is the same, and the loop need not think it over again.
type lives struct {
	mu   sync.Mutex
	last world
	live *spec.Spec
}

func (l *lives) of(w world) *spec.Spec {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.live == nil || l.last.defined != w.defined || l.last.running != w.running {
		l.last, l.live = w, w.live()
	}
	return l.live
}
