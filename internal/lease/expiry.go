package lease

import (
	"container/heap"
	"sync"
	"time"
)

// longestNap is how long the book sleeps at most: timers do not notice when
// somebody sets the wall clock, by which leases expire.
const longestNap = 10 * time.Second

// deadline is when an entry is to be looked at: when its lease expires, or
// earlier, since a renewal does not move it.
type deadline struct {
	when  time.Time
	table *Table
	entry *entry
	index int // in the queue; -1 = not in it
}

func (d *deadline) place() (at time.Time, index *int) { return d.when, &d.index }

// expirations is the deadlines of all tables. Its lock is taken below the lock
// of a table.
type expirations struct {
	mu     sync.Mutex
	queue  queue[*deadline]
	sooner chan struct{} // the first deadline is a new one
}

func newExpirations() *expirations { return &expirations{sooner: make(chan struct{}, 1)} }

// schedule sees to it that e is looked at when it expires.
func (x *expirations) schedule(t *Table, e *entry) {
	if e.Expires.IsZero() {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case e.due.index < 0:
		e.due.when, e.due.table, e.due.entry = e.Expires, t, e
		heap.Push(&x.queue, &e.due)
	case e.Expires.Before(e.due.when):
		e.due.when = e.Expires
		heap.Fix(&x.queue, e.due.index)
	}
	if e.due.index == 0 {
		select {
		case x.sooner <- struct{}{}:
		default:
		}
	}
}

func (x *expirations) forget(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.due.index >= 0 {
		heap.Remove(&x.queue, e.due.index)
	}
}

// pop takes the first entry that is due, or tells how long until there is one.
func (x *expirations) pop(now time.Time) (*Table, *entry, time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return nil, nil, longestNap
	}
	first := x.queue[0]
	if wait := first.when.Sub(now); wait > 0 {
		return nil, nil, min(wait, longestNap)
	}
	heap.Pop(&x.queue)
	return first.table, first.entry, 0
}

// expire ends leases whose time is over, until the book is closed.
func (b *Book) expire() {
	for {
		t, e, wait := b.expiry.pop(wall(b.options.Now()))
		if t != nil {
			t.expire(e)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-b.expiry.sooner:
		case <-b.stop:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// expire ends the lease of e if it is over. Nothing is written: the book has
// the time when it ends.
func (t *Table) expire(e *entry) {
	t.change(func(a *allocator, now time.Time) {
		if a.entries[e.Addr] != e || a.expire(e, wall(now)) || e.State.Ended() {
			return
		}
		t.book.expiry.schedule(t, e)
	})
}
