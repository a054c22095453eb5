package lease

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
)

// reading is what came of reading the book.
type reading struct {
	records int
	damaged int   // records that were skipped
	first   error // why the first one was
	torn    bool  // the last record was not written to its end
}

// load reads the book and makes it one that can be appended to.
func (b *Book) load() error {
	if err := b.disk.remove(newName); err != nil {
		b.options.Log.Warn("what is left of a compaction cannot be removed", "error", err)
	}
	data, err := b.disk.read(bookName)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return fmt.Errorf("read the lease book: %w", err)
	}
	r := b.replay(data)
	if err := b.check(); err != nil {
		return err
	}
	if r.damaged > 0 {
		b.keepDamaged(data, r)
	}
	b.journal.report(b.resume(r, fresh))
	return nil
}

// replay takes the records one after the other: of one address, the last counts.
// A last line that is not good was being written when the power went, and
// nobody was told that it was; it is cut off.
func (b *Book) replay(data []byte) reading {
	var r reading
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		data = rest
		l, err := parseRecord(line)
		switch {
		case (err != nil || !whole) && len(rest) == 0:
			r.torn = true
		case err != nil:
			if r.damaged++; r.damaged == 1 {
				r.first = err
			}
		default:
			r.records++
			b.Table(l.Network).replay(l)
		}
	}
	return r
}

func (t *Table) replay(l Lease) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !l.Addr.IsValid() {
		t.alloc.dropAll()
		t.reset()
		return
	}
	t.alloc.put(l)
	t.alloc.events = nil
}

// keepDamaged keeps a copy of the damaged file for people to look at, the first
// time.
func (b *Book) keepDamaged(data []byte, r reading) {
	b.options.Log.Error("the lease book is damaged; the leases of these records are lost",
		"records", r.damaged, "good", r.records, "first", r.first, "copy", damagedName)
	if _, err := b.disk.read(damagedName); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	f, err := b.journal.writeNew(data)
	if err == nil {
		err = errors.Join(f.Close(), b.disk.rename(newName, damagedName))
	}
	if err != nil {
		b.options.Log.Error("the damaged lease book cannot be kept aside", "error", err)
	}
}

// resume appends to a good book, and writes anew one that is not.
func (b *Book) resume(r reading, fresh bool) error {
	j := b.journal
	if fresh || r.torn || r.damaged > 0 {
		return j.rewrite()
	}
	f, err := b.disk.appendTo(bookName)
	if err != nil {
		return err
	}
	// What the last process wrote may not be on disk yet, and from now on it is
	// what the leases are.
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	j.use(f, r.records, b.count())
	return nil
}

func (b *Book) count() int {
	n := 0
	for _, t := range b.all() {
		n += t.size()
	}
	return n
}

// check proves that no address is bound twice, and no client has two leases.
func (b *Book) check() error {
	for _, t := range b.all() {
		if err := t.check(); err != nil {
			return fmt.Errorf("network %s: the lease book contradicts itself: %w", t.network, err)
		}
	}
	return nil
}

func (t *Table) check() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for addr, e := range t.alloc.entries {
		if e.Addr != addr {
			return fmt.Errorf("%v is on record as %v", e.Addr, addr)
		}
		if g := t.alloc.guests[e.key()]; e.owned() && (g == nil || g.lease != e) {
			return fmt.Errorf("%v has %v and another address", e.MAC, addr)
		}
	}
	return nil
}
