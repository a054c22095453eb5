package manage

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// glance is how often is looked for a guest that is waited for: the kernel tells of
// a neighbour, but not of every address seen on a bridge.
const glance = 200 * time.Millisecond

// sight is all that is known of guests at one time.
type sight struct {
	at       time.Time // before it was gathered
	networks map[string]*spec.Network
	ports    map[string]*spec.Port
	leases   []api.Lease
	seen     []api.Address
}

// sights lets those who wait look together: to look costs a pass over the store and
// over the kernel's tables, and a hundred wait when a lab starts.
type sights struct {
	mu      sync.Mutex
	waiting int
	last    *sight // while somebody waits
}

func (s *sights) come() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting++
}

func (s *sights) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.last = nil
	}
}

// sight returns what is known of guests, as it was after that time.
func (m *Manager) sight(ctx context.Context, after time.Time) (*sight, error) {
	m.sights.mu.Lock()
	defer m.sights.mu.Unlock()
	if s := m.sights.last; s != nil && s.at.After(after) {
		return s, nil
	}
	s := &sight{at: time.Now()}
	w, err := m.world()
	if err != nil {
		return nil, internal(err)
	}
	networks := w.leasing()
	s.networks, s.ports = networks, w.live().Ports
	s.leases = m.leases(networks, slices.Collect(maps.Keys(networks)))
	if s.seen, err = m.guests.Seen(ctx); err != nil {
		return nil, internal(err)
	}
	m.sights.last = s
	return s, nil
}
