package dhcp4

import (
	"net/netip"
	"sync"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

const (
	patience   = 20 * time.Millisecond // how long an ARP answer may take: guests are a bridge away
	stockSize  = 16                    // addresses of a scope probed ahead
	restock    = 5 * time.Minute       // they are probed again
	clearFor   = 2 * restock           // how long silence counts
	mostWaits  = 1024                  // offers that wait for a probe
	mostProbes = 8192                  // addresses remembered
	mostClaims = 16                    // conflicts of one port believed, per quarantine
)

// prober finds out by ARP whether addresses that are nobody's are in use
// (RFC 2131 section 3.1: the server SHOULD probe before it offers). A stock of
// each scope is probed ahead, so that newcomers need not wait.
type prober struct {
	table  *lease.Table
	link   Link
	config func() *config

	mu      sync.Mutex
	probes  map[netip.Addr]time.Time // when an address was asked for
	stocks  map[netip.Prefix]*shelf  // by scope
	waits   map[netip.Addr]*waiting  //
	claims  map[string]int           // conflicts by port
	counted time.Time                // when claims were emptied
	timer   *time.Timer              // the next restock
	closed  bool                     //
}

// waiting is an offer that waits for a probe.
type waiting struct {
	mac   spec.MAC
	then  func(clear bool)
	timer *time.Timer
}

func newProber(t *lease.Table, l Link, config func() *config) *prober {
	return &prober{
		table: t, link: l, config: config, probes: map[netip.Addr]time.Time{},
		stocks: map[netip.Prefix]*shelf{}, waits: map[netip.Addr]*waiting{}, claims: map[string]int{},
	}
}

// ask probes an address unless that was done lately.
func (p *prober) ask(a netip.Addr) {
	now := time.Now()
	p.mu.Lock()
	asked, ok := p.probes[a]
	again := !ok || now.Sub(asked) >= restock
	if again {
		if len(p.probes) >= mostProbes {
			p.forget(now)
		}
		p.probes[a] = now
	}
	p.mu.Unlock()
	if again && p.link.Probe(a) != nil {
		// Nobody was asked. Whoever waits for the address gets it all the same, as
		// from a server that does not probe.
		p.mu.Lock()
		delete(p.probes, a)
		p.mu.Unlock()
	}
}

// forget drops what is too old to count, and when there is no end to it, all but
// what offers wait for.
func (p *prober) forget(now time.Time) {
	for a, asked := range p.probes {
		if now.Sub(asked) >= clearFor {
			delete(p.probes, a)
		}
	}
	if len(p.probes) < mostProbes {
		return
	}
	for a := range p.probes {
		if p.waits[a] == nil {
			delete(p.probes, a)
		}
	}
}

// asked reports whether an answer for the address is an answer to a probe.
func (p *prober) asked(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.probes[a]
	return ok
}

// clear reports whether the address was probed and nobody answered.
func (p *prober) clear(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.silent(a, time.Now())
}

func (p *prober) silent(a netip.Addr, now time.Time) bool {
	asked, ok := p.probes[a]
	age := now.Sub(asked)
	return ok && age >= patience && age < clearFor
}

// wait calls then, on a goroutine of its own, when the address has been probed
// and nobody answered, or somebody did. False is returned when too many wait.
func (p *prober) wait(a netip.Addr, mac spec.MAC, then func(clear bool)) bool {
	p.ask(a)
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.waits[a]; w != nil {
		w.mac, w.then = mac, then // the client asks again, or its offer ran out
		return true
	}
	if p.closed || len(p.waits) >= mostWaits {
		return false
	}
	left := max(0, patience-time.Since(p.probes[a]))
	p.waits[a] = &waiting{mac, then, time.AfterFunc(left, func() { p.settle(a, true) })}
	return true
}

// settle ends the wait for an address.
func (p *prober) settle(a netip.Addr, clear bool) {
	p.mu.Lock()
	w := p.waits[a]
	delete(p.waits, a)
	if !clear {
		delete(p.probes, a)
	}
	p.mu.Unlock()
	if w != nil {
		w.timer.Stop()
		w.then(clear)
	}
}

// mine reports whether it is the client itself that answers for the address it
// waits for: it had it before we knew it.
func (p *prober) mine(a netip.Addr, mac spec.MAC) bool {
	if p.waiter(a) != mac {
		return false
	}
	p.settle(a, true)
	return true
}

// waiter is the client whose offer waits for the address, zero = none does.
func (p *prober) waiter(a netip.Addr) spec.MAC {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.waits[a]; w != nil {
		return w.mac
	}
	return spec.MAC{}
}

// believe counts the conflicts of a port.
func (p *prober) believe(who string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.counted) >= lease.Quarantine {
		clear(p.claims)
		p.counted = now
	}
	p.claims[who]++
	return p.claims[who] <= mostClaims
}

func (p *prober) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	for a, w := range p.waits {
		w.timer.Stop()
		delete(p.waits, a)
	}
}
