package daemon

import (
	"net/netip"
	"strings"
	"sync/atomic"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// targets tell where the guests are that forwards lead to by name, and have the
// loop look again when one of them may have moved. Leases of other networks change
// thousands of times a second without waking anybody.
type targets struct {
	book   *lease.Book
	wake   func()
	follow atomic.Pointer[map[string]bool] // networks with forwards by name
	gate   *gate
}

// Addresses implements reconcile.Guests.
func (t *targets) Addresses(live *spec.Spec) map[string]map[string][]netip.Addr {
	follow, all, ports := map[string]bool{}, map[string]map[string][]netip.Addr{}, portNames(live)
	for _, f := range live.Forwards {
		if f == nil || f.To.Name == "" {
			continue
		}
		if !follow[f.Network] {
			follow[f.Network], all[f.Network] = true, map[string][]netip.Addr{}
		}
		name := strings.ToLower(f.To.Name)
		if list := t.lookup(f.Network, name, ports); len(list) > 0 {
			all[f.Network][name] = list
		}
	}
	t.follow.Store(&follow)
	return all
}

// guest is a guest by name.
type guest struct{ network, name string }

// portNames are the guests that are named by their port.
func portNames(live *spec.Spec) map[guest]bool {
	names := map[guest]bool{}
	for port, p := range live.Ports {
		if p != nil {
			names[guest{p.Network, strings.ToLower(port)}] = true
		}
	}
	return names
}

// lookup finds a guest. The name of a port is its guest's, whatever others call
// themselves.
func (t *targets) lookup(network, name string, ports map[guest]bool) []netip.Addr {
	if ports[guest{network, name}] {
		return t.book.Table(network).Behind(name)
	}
	return t.book.Table(network).Lookup(name)
}

// changed is told of every lease.
func (t *targets) changed(e lease.Event) {
	follow := t.follow.Load()
	if follow != nil && (*follow)[e.Lease.Network] && e.Kind != "warning" || t.gate.changed(e) {
		t.wake()
	}
}
