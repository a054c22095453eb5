package lease

import (
	"cmp"
	"time"
)

// Import takes leases over that guests hold of another server, and tells which: one
// whose address nobody here has, holds or declined, and whose guest has no address
// here. A lease that is known already is only made longer. done is called once, when
// all of them are on disk; with ErrBusy or ErrClosed nothing was taken, and it is
// not called.
func (t *Table) Import(leases []Lease, done func(error)) (taken []Lease, err error) {
	if err := t.book.journal.room(); err != nil {
		return nil, err
	}
	t.change(func(a *allocator, now time.Time) {
		a.purge(now)
		for _, l := range leases {
			if l, ok := a.adopt(l, now); ok {
				t.book.journal.write(l, nil)
				taken = append(taken, l)
			}
		}
		t.book.journal.answer(nil, done)
	})
	return taken, nil
}

// adopt takes one lease over, unless it ended or is in somebody's way.
func (a *allocator) adopt(l Lease, now time.Time) (Lease, bool) {
	l.V6, l.State, l.Expires = l.Addr.Is6(), Bound, wall(l.Expires)
	if check(l.Client, l.Addr) != nil || l.ended(now) || a.taken(l.Addr, l.key()) {
		return Lease{}, false
	}
	l.Begun = wall(cmp.Or(l.Begun, now))
	if g := a.guests[l.key()]; g != nil && g.lease != nil && g.lease.State == Bound {
		old := g.lease.Lease
		if old.Addr != l.Addr || !outlives(l.Expires, old.Expires) {
			return Lease{}, false
		}
		l.Begun, l.Client = old.Begun, l.after(old.Client)
	}
	e := a.put(l)
	if g := a.guests[l.key()]; g.hold != nil {
		a.unhold(g.hold)
	}
	a.event("bound", e.Lease, "taken over")
	a.warn(e.Lease)
	return e.Lease, true
}

// ended reports whether the time of a lease is over.
func (l Lease) ended(now time.Time) bool { return !l.Expires.IsZero() && !l.Expires.After(now) }

// outlives compares the ends of two leases, of which zero is never.
func outlives(a, b time.Time) bool { return !b.IsZero() && (a.IsZero() || a.After(b)) }
