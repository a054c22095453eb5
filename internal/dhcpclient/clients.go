package dhcpclient

import (
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
)

// Options are what Clients need.
type Options struct {
	Dir string // where leases are kept
	// Namespace finds the namespace of a router: another *netns.NS when it was made
	// anew, false when it is gone. What it returns stays open as long as it is
	// returned. It must not wait for Set, Farewell or Close; nor must Changed.
	Namespace func(name string) (*netns.NS, bool)
	Changed   func()       // called when Acquired is another one; nil = nobody wants to know
	Renewed   func()       // called when a lease got another end; nil = nobody wants to know
	Log       *slog.Logger // nil = none
}

// Clients are the DHCP clients of all uplinks, or of the interfaces of the host. The methods may be called from any
// goroutine.
type Clients struct {
	o      Options
	open   func(ns, link string, h socket.ClientHandler) (wire, error)
	random func() uint64

	setting sync.Mutex // of Set, Farewell and Close
	running map[string]*client
	closed  bool

	mu       sync.Mutex
	leases   map[string]*Lease // in force, those included whose client does not run yet
	troubles map[string]string
}

// New makes clients of the leases on disk, which are in force at once; nothing is
// asked before Set.
func New(o Options) (*Clients, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Renewed == nil {
		o.Renewed = func() {}
	}
	c := &Clients{o: o, random: random, running: map[string]*client{}, troubles: map[string]string{}}
	c.open = c.openPackets
	var err error
	c.leases, err = c.load()
	return c, err
}

// Set runs a client for each uplink that wants one, and none for others, whose
// leases are given back. To be told with every pass: each look at the link may find
// that it is there now, or another one.
func (c *Clients) Set(want []plan.Acquire) { c.set(wantsOf(want)) }

func (c *Clients) set(list []want) {
	c.setting.Lock()
	defer c.setting.Unlock()
	if c.closed {
		return
	}
	c.end(list)
	for _, w := range list {
		if r := c.running[w.key]; r != nil {
			r.poke()
			continue
		}
		c.running[w.key] = c.start(w)
	}
	c.forget(list)
}

// Farewell gives back the leases of uplinks that want does not have, while their
// links are still there.
func (c *Clients) Farewell(want []plan.Acquire) {
	c.setting.Lock()
	defer c.setting.Unlock()
	c.end(wantsOf(want))
}

// end ends the clients that are not wanted as they are. One that is wanted on another
// link takes its lease there.
func (c *Clients) end(list []want) {
	stays := map[string]want{}
	for _, w := range list {
		stays[w.key] = w
	}
	var all sync.WaitGroup
	for key, r := range c.running {
		w, stay := stays[key]
		if same := stay && w.sameClient(r.want); !same || !w.samePlace(r.want) {
			delete(c.running, key)
			all.Go(func() { r.end(!same) })
		}
	}
	all.Wait()
}

// forget drops the leases of uplinks that went while no daemon ran.
func (c *Clients) forget(list []want) {
	wanted := map[string]bool{}
	for _, w := range list {
		wanted[w.key] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.leases {
		if !wanted[key] {
			delete(c.leases, key)
			c.warn(key, c.write(key, nil))
		}
	}
}

// Acquired is what the uplinks have got, by plan.Acquire.Key. What ran out is not
// there.
func (c *Clients) Acquired() map[string]plan.Acquired {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := map[string]plan.Acquired{}
	for key, l := range c.leases {
		if !l.over(time.Now()) {
			got[key] = l.acquired()
		}
	}
	return got
}

// Leases are the leases behind Acquired, to be shown.
func (c *Clients) Leases() map[string]Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]Lease{}
	for key, l := range c.leases {
		all[key] = *l
	}
	return all
}

// Problems tells what keeps uplinks from a lease, by plan.Acquire.Key.
func (c *Clients) Problems() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.troubles)
}

// Close ends all clients. The leases stay in force, for the next daemon.
func (c *Clients) Close() {
	c.setting.Lock()
	defer c.setting.Unlock()
	c.closed = true
	var all sync.WaitGroup
	for _, r := range c.running {
		all.Go(func() { r.end(false) })
	}
	all.Wait()
	clear(c.running)
}

// leaseOf is the lease that an uplink has from before.
func (c *Clients) leaseOf(w want) *Lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.leases[w.key]; l != nil && l.MAC == w.mac {
		return l
	}
	return nil
}

// keep puts a lease in force, nil = ends it, and tells of it when it makes a
// difference.
func (c *Clients) keep(key string, l *Lease) {
	c.warn(key, c.write(key, l))
	c.mu.Lock()
	before, had := c.leases[key]
	if l != nil {
		c.leases[key] = l
	} else {
		delete(c.leases, key)
	}
	c.mu.Unlock()
	if had != (l != nil) || had && !reflect.DeepEqual(before.acquired(), l.acquired()) {
		c.o.Changed()
	} else if l != nil {
		c.o.Renewed()
	}
}

// note remembers what keeps an uplink from a lease.
func (c *Clients) note(key, trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if trouble == "" {
		delete(c.troubles, key)
		return
	}
	c.troubles[key] = trouble
}

func (c *Clients) warn(key string, err error) {
	if err != nil && !errors.Is(err, errGone) {
		c.o.Log.Warn("DHCP", "client", key, "error", err)
	}
}
