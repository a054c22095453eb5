package lease

import (
	"net/netip"
	"time"

	"kvmnet/internal/spec"
)

// maxEnded is how many ended leases of a family a table remembers: the guests of
// a full /16. An address that is forgotten counts as never used.
const maxEnded = 1 << 16

// key is who a client is.
type key struct {
	mac  spec.MAC
	v6   bool
	iaid uint32
}

func (c Client) key() key { return key{c.MAC, c.V6, c.IAID} }

// entry is what is known of an address.
type entry struct {
	Lease
	seq uint64   // order of binding and ending
	due deadline // when the lease is to be looked at
	old bool     // it stands among the ended leases that newcomers get
}

// owned reports whether the lease belongs to a client: it does not when it was
// declined, or when its client has moved to another address since.
func (e *entry) owned() bool { return e.State != Declined && !e.MAC.IsZero() }

// guest is what a client has: a lease, bound or ended, and a held address.
type guest struct {
	lease *entry
	hold  *hold
	v6    bool
	port  string // where it counts
	count bool   // whether it counts
}

// place is a port as a family counts it: each has addresses of its own.
type place struct {
	v6   bool
	port string
}

// allocator is the leases of one network, without lock, clock and disk.
//
// Invariants: an address has one entry at most; an owned entry is the lease of
// its client, so a client has one lease at most.
type allocator struct {
	network  string
	entries  map[netip.Addr]*entry
	guests   map[key]*guest
	holds    holds
	used     used
	ended    [2]ended      // IPv4, IPv6
	ports    map[place]int // addresses by port: leased, held, declined
	names    names
	behind   names
	ids      ids
	warned   map[[2]spec.MAC]struct{}
	seq      uint64
	events   []Event
	schedule func(*entry) // the entry expires; nil = nobody waits for that
	forgot   func(*entry) // the entry is no more
}

func newAllocator(network string) *allocator {
	return &allocator{
		network:  network,
		entries:  map[netip.Addr]*entry{},
		guests:   map[key]*guest{},
		holds:    newHolds(),
		used:     used{},
		ended:    [2]ended{newEnded(), newEnded()},
		ports:    map[place]int{},
		names:    newNames((*entry).hostname),
		behind:   newNames((*entry).portLabel),
		ids:      ids{},
		warned:   map[[2]spec.MAC]struct{}{},
		schedule: func(*entry) {},
		forgot:   func(*entry) {},
	}
}

// put makes l what is known of its address, whatever was before. A client that
// gets a lease loses its other one. Every change of a lease goes through here,
// live and when the book is read, so both come to the same.
func (a *allocator) put(l Lease) *entry {
	l.Network = a.network
	e := a.entries[l.Addr]
	switch {
	case e == nil:
		e = &entry{due: deadline{index: -1}}
		a.entries[l.Addr] = e
		a.used.put(l.Addr, true)
	case e.renews(l):
		a.renew(e, l)
		return e
	default:
		a.detach(e)
	}
	e.Lease = l
	a.attach(e)
	a.trim(l.V6)
	return e
}

// renews reports whether l is the same binding with nothing that is indexed
// changed. A lease that ran out and was bound again began anew: the book has no
// record of its end.
func (e *entry) renews(l Lease) bool {
	return e.State == Bound && l.State == Bound && e.key() == l.key() &&
		e.Begun.Equal(l.Begun) && e.Hostname == l.Hostname && e.ClientID == l.ClientID && e.Port == l.Port
}

func (a *allocator) renew(e *entry, l Lease) {
	e.Lease = l
	a.recount(a.guests[e.key()])
	a.schedule(e)
}

// attach enters e into every index that its state asks for.
func (a *allocator) attach(e *entry) {
	a.seq++
	e.seq = a.seq
	if e.owned() {
		a.own(e)
	}
	switch {
	case e.State == Declined:
		a.blame(e, 1)
	case e.State == Bound:
		a.names.add(e)
		a.behind.add(e)
	default:
		a.age(e, a.holds.at[e.Addr] == nil)
	}
	if e.owned() {
		a.ids.add(e)
	}
	if !e.State.Ended() && !e.Expires.IsZero() {
		a.schedule(e)
	}
}

// detach takes e out of the indexes.
func (a *allocator) detach(e *entry) {
	switch {
	case e.State == Declined:
		a.blame(e, -1)
	case e.State == Bound:
		a.names.remove(e)
		a.behind.remove(e)
	default:
		a.age(e, false)
	}
	if e.owned() {
		a.ids.remove(e)
		g := a.guests[e.key()]
		g.lease = nil
		a.settle(e.key(), g)
	}
}

// end ends the lease of e, which its client gets again when it comes back.
func (a *allocator) end(e *entry, s State, now time.Time) {
	l := e.Lease
	if l.State == Declined {
		l.Client = Client{V6: l.V6}
	}
	l.State = s
	if s == Released {
		l.Expires = now
	}
	a.put(l)
}

// forget makes the address one that was never used.
func (a *allocator) forget(e *entry) {
	a.detach(e)
	delete(a.entries, e.Addr)
	a.used.put(e.Addr, a.holds.at[e.Addr] != nil)
	a.forgot(e)
}

// age enters an ended lease among those that newcomers get, at the place of its
// end, or takes it out: an address that is held would only be in their way.
func (a *allocator) age(e *entry, old bool) {
	if e == nil || !e.State.Ended() || e.old == old {
		return
	}
	e.old = old
	if old {
		a.ended[family(e.V6)].add(e)
	} else {
		a.ended[family(e.V6)].remove(e)
	}
}

// trim forgets what ended longest ago, beyond what is remembered.
func (a *allocator) trim(v6 bool) {
	for all := a.ended[family(v6)].all; len(all.entries) > maxEnded; {
		a.forget(all.next(0))
	}
}

func (a *allocator) event(kind string, l Lease, message string) {
	a.events = append(a.events, Event{kind, l, message})
}

func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}
