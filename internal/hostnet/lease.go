package hostnet

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"kvmnet/internal/spec"
)

// Leases gets IPv4 addresses by DHCP. Its methods may be called from any goroutine.
type Leases interface {
	// Want names all interfaces that are to have an address. Those that are not named any
	// more give theirs back.
	Want([]Lessee)
	// Got is what servers have given, by Lessee.Key; what ran out is not there.
	Got() map[string]Lease
	// Problems tells what keeps interfaces from a lease that holds, by Lessee.Key.
	Problems() map[string]string
}

// Lessee is an interface that is to have an address. The key follows the hardware: a NIC
// and the bridge that takes its place have the same one, and are the same client.
type Lessee struct {
	Key, Link string
	MAC       spec.MAC
	Wish      netip.Addr // what somebody else's client got there; zero = any
}

// Lease is what a server gave.
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr            // of the default route; zero = none
	Routes  []spec.InterfaceRoute // others; only where they lead and by which gateway
	DNS     []netip.Addr
	Domain  string
	Ends    time.Time // zero = never
}

// leases keeps interfaces as servers have leased them.
type leases struct {
	wake chan struct{} // something may have changed

	mu     sync.Mutex // of what follows
	paused int        // changes that are being made or reverted
	sites  map[string]site
	end    context.CancelFunc
	work   sync.WaitGroup

	busy    sync.Mutex // who looks has it, and what follows
	wanted  []lessee
	lacking map[string]bool   // interfaces that come up when their hardware appears
	told    map[string]string // resolvers that were registered, by keys
	trouble map[string]string // what was complained of, by keys
}

func newLeases() leases {
	return leases{wake: make(chan struct{}, 1), sites: map[string]site{}, told: map[string]string{}, trouble: map[string]string{}}
}

// leasePause is between two looks, so that many changes of links have few.
const leasePause = 100 * time.Millisecond

// leaseTick is how often is looked without a reason: somebody may have taken an address
// away, or defined an interface with an editor.
const leaseTick = time.Minute

// KeepLeases has interfaces that kvmnet itself defines get their addresses by DHCP, as
// they come up, move into bridges and go down, until Close. It waits for no server.
func (h *Host) KeepLeases() {
	if h.Leases == nil {
		return
	}
	all, err := h.readSites()
	if err != nil {
		h.Log.Warn("keep leases", "error", err)
		all = map[string]site{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &h.leases
	l.mu.Lock()
	l.sites, l.end = all, cancel
	l.mu.Unlock()
	l.work.Go(func() { h.keepLeases(ctx) })
	l.work.Go(func() { h.watchLinks(ctx) })
}

// keepLeases looks whenever something may have changed.
func (h *Host) keepLeases(ctx context.Context) {
	tick := time.NewTicker(leaseTick)
	defer tick.Stop()
	for {
		h.turns.Lock()
		h.leasePass(ctx)
		h.turns.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(leasePause):
		}
		select {
		case <-ctx.Done():
			return
		case <-h.leases.wake:
		case <-tick.C:
		}
	}
}

// LookAtLeases has leases looked at soon.
func (h *Host) LookAtLeases() {
	select {
	case h.leases.wake <- struct{}{}:
	default:
	}
}

// endLeases leaves all as it is: the addresses end with the leases.
func (h *Host) endLeases() {
	h.leases.mu.Lock()
	end := h.leases.end
	h.leases.mu.Unlock()
	if end != nil {
		end()
		h.leases.work.Wait()
	}
}

// pause keeps leases from being put anywhere while something is taken back, by what it
// returns at the latest.
func (l *leases) pause() (resume func()) {
	l.mu.Lock()
	l.paused++
	l.mu.Unlock()
	l.letLookEnd()
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.paused--
	}
}

// letLookEnd waits for the look that is on.
func (l *leases) letLookEnd() {
	l.busy.Lock()
	defer l.busy.Unlock()
}

func (l *leases) isPaused() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.paused > 0
}
