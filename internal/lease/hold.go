package lease

import (
	"container/heap"
	"net/netip"
	"time"
)

// maxHolds is how many addresses of a table can be held at a time. Beyond it the
// one whose time ends first is given up.
const maxHolds = 1 << 14

// hold keeps an address for a client that was offered it.
type hold struct {
	addr  netip.Addr
	guest key
	port  string
	until time.Time
	index int // in the queue
}

func (h *hold) place() (at time.Time, index *int) { return h.until, &h.index }

// holds are the held addresses, by address and by when they end.
type holds struct {
	at    map[netip.Addr]*hold
	queue queue[*hold]
}

func newHolds() holds { return holds{at: map[netip.Addr]*hold{}} }

// hold keeps addr for the client, and none else for it.
func (a *allocator) hold(c Client, addr netip.Addr, until time.Time) {
	g := a.guest(c.key())
	if g.hold != nil && g.hold.addr != addr {
		a.unhold(g.hold)
		g = a.guest(c.key())
	}
	if h := g.hold; h != nil {
		h.port, h.until = c.Port, until
		heap.Fix(&a.holds.queue, h.index)
		a.recount(g)
		return
	}
	if len(a.holds.queue) >= maxHolds {
		a.unhold(a.holds.queue[0])
	}
	g.hold = &hold{addr: addr, guest: c.key(), port: c.Port, until: until}
	heap.Push(&a.holds.queue, g.hold)
	a.holds.at[addr] = g.hold
	a.used.put(addr, true)
	a.age(a.entries[addr], false)
	a.recount(g)
}

// keep holds the address of a lease that ended for its guest, whoever else it is
// held for. It reports false when there is no such lease.
func (a *allocator) keep(addr netip.Addr, until time.Time) bool {
	e := a.entries[addr]
	if e == nil || !e.State.Ended() || e.MAC.IsZero() {
		return false
	}
	if h := a.holds.at[addr]; h != nil && h.guest != e.key() {
		a.unhold(h)
	}
	a.hold(e.Client, addr, until)
	return true
}

// unhold gives a held address up.
func (a *allocator) unhold(h *hold) {
	heap.Remove(&a.holds.queue, h.index)
	delete(a.holds.at, h.addr)
	a.age(a.entries[h.addr], true)
	a.used.put(h.addr, a.entries[h.addr] != nil)
	g := a.guests[h.guest]
	g.hold = nil
	a.settle(h.guest, g)
}

// purge gives up what was held until now.
func (a *allocator) purge(now time.Time) {
	for len(a.holds.queue) > 0 && !a.holds.queue[0].until.After(now) {
		a.unhold(a.holds.queue[0])
	}
}
