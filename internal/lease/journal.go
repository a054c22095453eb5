package lease

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	bookName    = "leases"
	newName     = "leases.new"
	damagedName = "leases.damaged"

	// maxPending is how many bytes wait for the disk at most; beyond it nothing
	// new is bound.
	maxPending = 32 << 20
	// retry is how long a book that cannot be written waits for the next try
	// when nothing else happens.
	retry = 2 * time.Second
)

// journal writes the book. Whoever changes a lease queues a record; one
// goroutine takes all that is queued, writes it at once, syncs once, and says so.
type journal struct {
	disk     disk
	log      *slog.Logger
	snapshot func() snapshot // of all leases in memory

	mu      sync.Mutex
	pending batch
	err     error
	closed  bool
	wake    chan struct{}

	// Of the goroutine that writes.
	spare      batch
	file       file // nil = what is on disk is not to be trusted: rewrite it
	records    int  // in the file
	live       int  // records of the file when it was last rewritten
	compaction *compaction
	slack      int // see compact
}

func newJournal(d disk, log *slog.Logger, snapshot func() snapshot) *journal {
	return &journal{disk: d, log: log, snapshot: snapshot, wake: make(chan struct{}, 1)}
}

// run writes until the journal is closed and nothing is queued.
func (j *journal) run() {
	for {
		j.wait()
		batch, closed := j.take()
		j.commit(batch)
		j.spare = batch.reset()
		if closed && len(batch.answers) == 0 && batch.records == 0 {
			j.abandon()
			return
		}
	}
}

// wait returns when there is something to do.
func (j *journal) wait() {
	var again <-chan time.Time
	if j.file == nil {
		timer := time.NewTimer(retry)
		defer timer.Stop()
		again = timer.C
	}
	select {
	case <-j.wake:
	case <-again:
	case written := <-j.compaction.done():
		j.compaction.written = &written
	}
}

// commit puts a batch on disk and answers in order.
func (j *journal) commit(b batch) {
	err := j.save(b)
	j.report(err)
	for _, a := range b.answers {
		if a.err == nil {
			a.err = err
		}
		a.done(a.err)
	}
	if err == nil {
		j.compact()
	}
}

// save appends the batch. After a failure nobody knows what is in the file, and
// the kernel does not tell twice that a page was lost: the whole book is written
// anew, from memory, which has what the batch has.
func (j *journal) save(b batch) error {
	if j.file == nil {
		if err := j.rewrite(); err != nil {
			return err
		}
	} else if b.records > 0 {
		if err := j.append(b.data); err != nil {
			return err
		}
		j.records += b.records
		j.compaction.note(b)
	}
	return nil
}

func (j *journal) append(data []byte) error {
	_, err := j.file.Write(data)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		_ = j.closeFile() // it is not trusted any more
	}
	return err
}

func (j *journal) closeFile() error {
	if j.file == nil {
		return nil
	}
	f := j.file
	j.file = nil
	return f.Close()
}

// report remembers whether leases can be written, and logs when that changes.
func (j *journal) report(err error) {
	if err != nil {
		err = fmt.Errorf("write the lease book: %w; no lease is acknowledged until that works again", err)
	}
	j.mu.Lock()
	was := j.err
	j.err = err
	j.mu.Unlock()
	switch {
	case was == nil && err != nil:
		j.log.Error("leases cannot be written", "error", err)
	case was != nil && err == nil:
		j.log.Info("leases can be written again")
	}
}
