package hostnet

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

// fakeLeases gives what a test says, at once.
type fakeLeases struct {
	m *machine

	mu     sync.Mutex
	wanted []Lessee
	got    map[string]Lease
	gone   []string // what was given back, and whether the link was up then
}

func (f *fakeLeases) Want(list []Lessee) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, was := range f.wanted {
		if !slices.ContainsFunc(list, func(l Lessee) bool { return l.Key == was.Key }) {
			live, _ := f.m.lives()
			f.gone = append(f.gone, fmt.Sprintf("%s up %v", was.Link, live[was.Link].Up))
			delete(f.got, was.Key)
		}
	}
	f.wanted = list
}

func (f *fakeLeases) Got() map[string]Lease {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.got)
}

func (f *fakeLeases) Problems() map[string]string { return nil }

// gives is what a server does, as far as the host hears of it.
func (f *fakeLeases) gives(key string, l *Lease) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if delete(f.got, key); l != nil {
		f.got[key] = *l
	}
}

// links are those that want a lease, with their keys.
func (f *fakeLeases) links() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, l := range f.wanted {
		list = append(list, l.Link+" "+l.Key)
	}
	return strings.Join(list, ", ")
}

// leaseOf is a lease of an hour.
func leaseOf(address, gateway string) *Lease {
	l := &Lease{Address: netip.MustParsePrefix(address), Ends: time.Now().Add(time.Hour)}
	if gateway != "" {
		l.Gateway = netip.MustParseAddr(gateway)
	}
	return l
}

const (
	key0 = "52:54:00:00:00:00"
	key1 = "52:54:00:00:00:01"
)

// newLeasing is a machine whose leases are looked at when the test says so.
func newLeasing(t *testing.T, files map[string]string) (*machine, *fakeLeases) {
	t.Helper()
	m := newMachine(t, files)
	f := &fakeLeases{m: m, got: map[string]Lease{}}
	m.Leases = f
	return m, f
}

func (m *machine) pass() {
	m.turns.Lock()
	defer m.turns.Unlock()
	m.leasePass(m.t.Context())
}

// has4 fails unless an interface has these addresses and routes, each as ip(8) tells it.
func (m *machine) has4(link string, want ...string) {
	m.t.Helper()
	text := nstest.Run(m.t, m.ns, "ip", "-4", "-o", "addr", "show", "dev", link) + nstest.Run(m.t, m.ns, "ip", "-4", "route", "show", "dev", link)
	for _, w := range want {
		if is := strings.Contains(text, strings.TrimPrefix(w, "no ")); is == strings.HasPrefix(w, "no ") {
			m.t.Errorf("%s: want %q: %s", link, w, text)
		}
	}
}
