package daemon

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// gate opens guards for addresses that guests lease. The loop wants the same rows,
// since it learns of the lease; but a guest uses its address at once.
type gate struct {
	live  func() (*spec.Spec, error)
	rules *nft.Conn // of its own: that of the loop may be busy
	log   *slog.Logger
	told  atomic.Pointer[map[string][]plan.Leased] // what the loop knows

	mu      sync.Mutex
	of      *spec.Spec
	permits *plan.Permits
}

// Leases implements reconcile.Guests.
func (t *targets) Leases(live *spec.Spec) map[string][]plan.Leased {
	var all map[string][]plan.Leased
	for _, network := range plan.GuardedNetworks(live) {
		var list []plan.Leased
		for _, l := range t.book.Table(network).Leases() {
			if l.State == lease.Bound {
				list = append(list, leasedBy(l))
			}
		}
		if all == nil {
			all = map[string][]plan.Leased{}
		}
		all[network] = list
	}
	t.gate.told.Store(&all)
	return all
}

func leasedBy(l lease.Lease) plan.Leased {
	return plan.Leased{MAC: l.MAC, Addr: l.Addr, Port: l.Port}
}

// changed reports whether the loop must look at what became of a lease.
func (g *gate) changed(e lease.Event) bool {
	told := g.told.Load()
	if told == nil {
		return false
	}
	list, guarded := (*told)[e.Lease.Network]
	switch {
	case !guarded || e.Kind == "warning":
		return false
	case e.Kind == "renewed":
		return !slices.Contains(list, leasedBy(e.Lease)) // its guest is behind another port now
	}
	return true
}

// fresh is how long after its beginning the loop may have heard of a lease and not
// have done anything about it.
const fresh = 10 * time.Second

// permit lets a guest use an address. What fails here the loop does a moment later.
func (t *targets) permit(network string, l plan.Leased) {
	g := t.gate
	known, there := t.book.Table(network).At(l.Addr)
	told := g.told.Load()
	if there && time.Since(known.Begun) > fresh && told != nil && slices.Contains((*told)[network], l) {
		return
	}
	if rows := g.rows(network, l); len(rows) > 0 {
		if err := g.rules.Permit(rows); err != nil {
			g.log.Warn("permit a leased address", "network", network, "address", l.Addr, "error", err)
		}
	}
}

func (g *gate) rows(network string, l plan.Leased) []plan.Element {
	live, _ := g.live()
	if live == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of != live {
		g.of, g.permits = live, plan.NewPermits(live)
	}
	return g.permits.Of(network, l)
}
