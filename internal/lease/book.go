package lease

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Options are what a book may be told. The zero value is good.
type Options struct {
	Log     *slog.Logger     // nil = none
	Now     func() time.Time // nil = time.Now
	Changed func(Event)      // nil = nobody; called without a lock held, by whoever made the change

	// BeforeWrite is called before each operation on disk, for tests that stop the
	// process there; nil = nothing.
	BeforeWrite func()

	slack int // records beyond which the book is compacted; 0 = fewRecords
}

// Book is the leases of all networks, in memory and on disk. Its methods and
// those of its tables may be called at the same time.
type Book struct {
	options Options
	disk    disk
	journal *journal
	expiry  *expirations

	mu     sync.Mutex
	tables map[string]*Table

	workers sync.WaitGroup
	stop    chan struct{}
	once    sync.Once
	closed  error
}

// Open reads the book in dir, which is created when it is not there, and locks
// it: a second book in the same directory is an error. Leases whose time is over
// expire at once. A damaged record is skipped and logged, and the file kept
// aside as leases.damaged. When the directory cannot be written to, the book
// opens all the same, and Err tells.
func Open(dir string, o Options) (*Book, error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	if o.BeforeWrite != nil {
		d = watched{d, o.BeforeWrite}
	}
	return open(d, o)
}

func open(d disk, o Options) (*Book, error) {
	b := newBook(d, o)
	if err := b.load(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	b.workers.Go(func() { b.journal.run() })
	b.workers.Go(func() { b.expire() })
	return b, nil
}

// newBook is an empty book that nobody writes yet.
func newBook(d disk, o Options) *Book {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	b := &Book{options: o, disk: d, tables: map[string]*Table{}, expiry: newExpirations(), stop: make(chan struct{})}
	b.journal = newJournal(d, o.Log, b.snapshot)
	b.journal.slack = cmp.Or(o.slack, fewRecords)
	return b
}

// Close waits until what was told is on disk, and gives the directory free. The
// error is that of Err when it cannot be written. Afterwards nothing is bound any
// more. It is not called from a done.
func (b *Book) Close() error {
	b.once.Do(func() {
		close(b.stop)
		b.journal.close()
		b.workers.Wait()
		b.closed = errors.Join(b.Err(), b.journal.closeFile(), b.disk.close())
	})
	return b.closed
}

// Table is the leases of one network: the same one for the same name.
func (b *Book) Table(network string) *Table {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.tables[network]
	if t == nil {
		t = newTable(b, network)
		b.tables[network] = t
	}
	return t
}

// Drop forgets the leases of a network that is gone for good. Its table stays
// and is empty. done may be nil.
func (b *Book) Drop(network string, done func(error)) { b.Table(network).drop(done) }

// Networks are the names of the networks that have leases, ended ones included,
// sorted.
func (b *Book) Networks() []string {
	var names []string
	for _, t := range b.all() {
		if t.size() > 0 {
			names = append(names, t.network)
		}
	}
	return names
}

// Err tells why leases cannot be written at the moment; nil = they can.
func (b *Book) Err() error { return b.journal.state() }

// all are the tables, sorted by name.
func (b *Book) all() []*Table {
	b.mu.Lock()
	defer b.mu.Unlock()
	tables := make([]*Table, 0, len(b.tables))
	for _, name := range slices.Sorted(maps.Keys(b.tables)) {
		tables = append(tables, b.tables[name])
	}
	return tables
}

// snapshot is every lease as a line of the book, the lines of a table in the
// order in which they came to be.
func (b *Book) snapshot() snapshot {
	var s snapshot
	for _, t := range b.all() {
		for _, l := range t.remembered() {
			s.data = appendRecord(s.data, l)
			s.records++
		}
	}
	return s
}

func (b *Book) tell(events []Event) {
	if b.options.Changed == nil {
		return
	}
	for _, e := range events {
		b.options.Changed(e)
	}
}
