package confirm

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options tell where the journal is and who works for it.
type Options struct {
	Dir   string          // of the journal, kept over boots
	Boot  string          // names this boot, and this network namespace
	Kinds map[string]Kind // by name
	Log   *slog.Logger    // nil = none

	// Ended is told of each change that was finished or reverted; nil = nobody.
	Ended func(Entry)
	// SinceBoot is the clock of deadlines: one that nobody sets, and that goes on
	// while the machine is suspended; nil = CLOCK_BOOTTIME.
	SinceBoot func() time.Duration
	// BeforeWrite is called before each operation on the disk, for tests that stop the
	// process there; nil = nothing.
	BeforeWrite func()
}

// Journal has the changes that are armed, and the history of those that were.
type Journal struct {
	Options
	disk disk
	life context.Context // ends when it is closed
	stop context.CancelFunc
	work sync.WaitGroup // who waits for deadlines and tries again

	mu    sync.Mutex
	items map[string]*item
	past  []Entry // the oldest first
}

// item is an entry of the journal. Who makes, confirms or reverts the change has the
// turn meanwhile; the entry is guarded by the journal's mutex.
type item struct {
	turn   turn
	unsure bool // the disk failed as the confirmation was written; who has the turn may look
	entry  Entry
	over   context.Context // done once the change is not armed any more
	end    context.CancelFunc
}

// Open reads the journal, and does nothing yet: what an earlier process left waits
// for Recover.
func Open(o Options) (*Journal, error) {
	d, err := openDir(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.BeforeWrite != nil {
		d = watched{d, o.BeforeWrite}
	}
	return open(d, o)
}

func open(d disk, o Options) (*Journal, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.SinceBoot == nil {
		o.SinceBoot = sinceBoot
	}
	j := &Journal{Options: o, disk: d, items: map[string]*item{}}
	j.life, j.stop = context.WithCancel(context.Background())
	if err := j.load(); err != nil {
		d.close()
		return nil, err
	}
	return j, nil
}

// sinceBoot reads CLOCK_BOOTTIME, which the kernel has had since 2.6.39.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err))
	}
	return time.Duration(t.Nano())
}

// turn is a mutex.
type turn chan struct{}

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

func (j *Journal) add(e Entry) *item {
	i := &item{entry: e, turn: make(turn, 1)}
	i.over, i.end = context.WithCancel(j.life)
	j.items[e.ID] = i
	return i
}

// Pending lists the changes that are not over yet, the newest first.
func (j *Journal) Pending() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []Entry
	for i := range maps.Values(j.items) {
		e := i.entry
		e.Left = j.left(e)
		list = append(list, e)
	}
	return newestFirst(list)
}

// left is how long an armed change has still.
func (j *Journal) left(e Entry) time.Duration {
	if e.State != Armed || e.Within == 0 {
		return 0
	}
	return max(0, e.Due-j.SinceBoot())
}

// History lists the changes that are over, the newest first.
func (j *Journal) History() []Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := slices.Clone(j.past)
	slices.Reverse(list)
	return list
}

// Over is done once the change is not armed any more, or the journal closed. It is
// done for a change that is not there.
func (j *Journal) Over(id string) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.items[id]; i != nil {
		return i.over.Done()
	}
	gone := make(chan struct{})
	close(gone)
	return gone
}

// Close reverts what is armed and has a deadline, for nobody would watch that any
// more, and closes the journal. What cannot be reverted is left for Recover.
func (j *Journal) Close(ctx context.Context) error {
	for _, e := range j.Pending() {
		if e.State == Armed && e.Within > 0 {
			if _, err := j.Rollback(ctx, e.ID, "the daemon ended"); err != nil {
				j.Log.Error("revert", "change", e.ID, "what", e.What, "error", err)
			}
		}
	}
	j.Abandon()
	return nil
}

// Abandon closes the journal and leaves what is armed as it is, for Recover.
func (j *Journal) Abandon() {
	j.stop()
	j.work.Wait()
	j.disk.close()
}
