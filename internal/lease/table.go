package lease

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kvmnet/internal/spec"
)

// Table is the leases of one network. A change is in memory when a method
// returns, and on disk when it calls done: with nil, or with why it could not be
// written. done may be nil; it is called once, in the order of the changes, by
// the goroutine that writes for all networks, which it must not keep waiting.
type Table struct {
	book    *Book
	network string
	changes atomic.Uint64 // of names

	mu    sync.Mutex
	alloc *allocator
}

func newTable(b *Book, network string) *Table {
	t := &Table{book: b, network: network}
	t.reset()
	return t
}

// reset makes the table empty. The generation goes on.
func (t *Table) reset() {
	t.changes.Add(1)
	t.alloc = newAllocator(t.network)
	t.alloc.names.changed = func() { t.changes.Add(1) }
	t.alloc.behind.changed = t.alloc.names.changed
	t.alloc.schedule = func(e *entry) { t.book.expiry.schedule(t, e) }
	t.alloc.forgot = func(e *entry) { t.book.expiry.forget(e) }
}

// change runs a change under the lock, so that the book has the changes of a
// table in their order, and tells about it afterwards.
func (t *Table) change(do func(a *allocator, now time.Time)) {
	t.mu.Lock()
	do(t.alloc, t.book.options.Now())
	events := t.alloc.events
	t.alloc.events = nil
	t.mu.Unlock()
	t.book.tell(events)
}

// Propose chooses an address for a client and holds it: the client's lease if it
// is in the ranges and usable, else what it was offered before, the hint if no
// client has it, a lease that ended under the same client id, the lowest address
// that was never used, the one whose lease ended longest ago. The error is
// ErrLimit or ErrExhausted, or the client has no MAC.
func (t *Table) Propose(c Client, w Want) (addr netip.Addr, err error) {
	t.change(func(a *allocator, now time.Time) { addr, err = a.propose(c, w, now) })
	return addr, err
}

// Hold keeps one particular address for a client, such as a reserved one. The
// error is ErrTaken when another client has or holds it or it was declined.
func (t *Table) Hold(c Client, addr netip.Addr, d time.Duration) (err error) {
	t.change(func(a *allocator, now time.Time) { err = a.reserve(c, addr, d, now) })
	return err
}

// Keep holds the address of a lease that ended for its guest, which was seen to use
// it still: the guest can have it back, and nobody else gets it meanwhile, not even
// who was offered it. It reports whether there is such a lease.
func (t *Table) Keep(addr netip.Addr, d time.Duration) (kept bool) {
	t.change(func(a *allocator, now time.Time) {
		a.purge(now)
		kept = a.keep(addr, now.Add(d))
	})
	return kept
}

// Bind gives the address to the client, or renews it; then what the client does
// not tell (port, host name, client id) stays as it was. The client's other
// lease ends. The error is ErrTaken when another client has or holds the address
// or it was declined, ErrBusy when the disk does not keep up, ErrClosed; then
// nothing changed and done is not called.
func (t *Table) Bind(c Client, addr netip.Addr, life spec.Seconds, done func(error)) (l Lease, err error) {
	if err := t.book.journal.room(); err != nil {
		return Lease{}, err
	}
	t.change(func(a *allocator, now time.Time) {
		if l, err = a.bind(c, addr, now, life); err == nil {
			t.book.journal.write(l, done)
		}
	})
	return l, err
}

// Release ends the client's lease of the address, and reports whether it had
// one; if not, done is not called.
func (t *Table) Release(c Client, addr netip.Addr, done func(error)) bool {
	return t.release(addr, "", done, func(e *entry) bool { return e.State == Bound && e.key() == c.key() })
}

// End ends whatever lease or quarantine of the address there is, and reports
// whether there was one; if not, done is not called.
func (t *Table) End(addr netip.Addr, done func(error)) bool {
	return t.release(addr, "ended by hand", done, func(e *entry) bool { return !e.State.Ended() })
}

func (t *Table) release(addr netip.Addr, why string, done func(error), which func(*entry) bool) (ended bool) {
	t.change(func(a *allocator, now time.Time) {
		if e := a.entries[addr]; e != nil && which(e) {
			ended = true
			t.book.journal.write(a.release(e, "released", why, now), done)
		}
	})
	return ended
}

// Decline puts an address aside that somebody else uses: nobody gets it until
// the quarantine is over. It counts as one of the port's, so that no guest
// declines them all; what the server finds out by itself it declines for the
// zero Client, and takes it from whom it is held for. done gets ErrTaken when
// another client has the address or, other than for the zero Client, holds it.
func (t *Table) Decline(c Client, addr netip.Addr, quarantine time.Duration, done func(error)) {
	t.change(func(a *allocator, now time.Time) {
		l, err := a.decline(c, addr, now, quarantine)
		if err != nil {
			t.book.journal.answer(err, done)
			return
		}
		t.book.journal.write(l, done)
	})
}

// DropPort ends the leases of the guests behind a port that is deleted, and
// tells how many there were. They are remembered as ended. done is called in any
// case.
func (t *Table) DropPort(port string, done func(error)) (n int) {
	t.change(func(a *allocator, now time.Time) {
		leases := a.dropPort(port, now)
		for _, l := range leases {
			t.book.journal.write(l, nil)
		}
		n = len(leases)
		t.book.journal.answer(nil, done)
	})
	return n
}

func (t *Table) drop(done func(error)) {
	t.change(func(a *allocator, _ time.Time) {
		events := a.dropAll()
		t.reset()
		t.alloc.events = events
		t.book.journal.write(Lease{Network: t.network}, done)
	})
}
