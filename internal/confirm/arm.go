package confirm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Arm writes a change into the journal. When it returns, the entry is on disk, and
// who armed it may begin.
func (j *Journal) Arm(_ context.Context, c Change) (Change, error) {
	i, err := j.arm(c)
	if err != nil {
		return Change{}, err
	}
	defer i.turn.Unlock()
	return i.entry.Change, nil
}

// Make arms a change and makes it. Should that fail, it is reverted at once. Whoever
// asked may go away meanwhile: the change is made to its end. It is given up at the
// deadline.
func (j *Journal) Make(ctx context.Context, c Change, do func(context.Context, Change) error) (Entry, error) {
	i, err := j.arm(c)
	if err != nil {
		return Entry{}, err
	}
	defer i.turn.Unlock()
	ctx = context.WithoutCancel(ctx)
	if err := j.within(ctx, i.entry, do); err != nil {
		return j.look(i), errors.Join(err, j.revert(ctx, i, err.Error()))
	}
	return j.look(i), nil
}

func (j *Journal) within(ctx context.Context, e Entry, do func(context.Context, Change) error) error {
	if e.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.Within)
		defer cancel()
	}
	return do(ctx, e.Change)
}

// arm returns the new item, whose turn the caller has.
func (j *Journal) arm(c Change) (*item, error) {
	if j.Kinds[c.Kind] == nil {
		return nil, fmt.Errorf("arm %s: nobody reverts changes of kind %q", c.What, c.Kind)
	}
	i, err := j.admit(c)
	if err != nil {
		return nil, err
	}
	if err := j.write(i.entry); err != nil {
		j.expel(i)
		return nil, fmt.Errorf("write the journal before %s: %w; nothing was changed", c.What, err)
	}
	j.watch(i)
	return i, nil
}

// admit gives the change its place, if nobody holds what it needs.
func (j *Journal) admit(c Change) (*item, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.life.Err() != nil {
		return nil, fmt.Errorf("arm %s: the daemon is ending", c.What)
	}
	if err := j.held(c.Holds); err != nil {
		return nil, err
	}
	e := Entry{Change: c, State: Armed}
	e.Boot, e.Made = j.Boot, time.Now()
	if e.ID == "" {
		e.ID = j.freeID()
	}
	if j.items[e.ID] != nil {
		return nil, fmt.Errorf("arm %s: there is a change %s already", c.What, e.ID)
	}
	if c.Within > 0 {
		e.Deadline, e.Due = e.Made.Add(c.Within), j.SinceBoot()+c.Within
	}
	i := j.add(e)
	i.turn.Lock()
	return i, nil
}

// expel takes back what admit did. The file may be there in part.
func (j *Journal) expel(i *item) {
	if err := j.disk.remove(fileName(i.entry.ID)); err != nil {
		j.Log.Warn("remove an entry that could not be written", "change", i.entry.ID, "error", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.items, i.entry.ID)
	i.end()
	i.turn.Unlock()
}

// Held tells who holds one of these names, as an error with the way out; nil is
// nobody.
func (j *Journal) Held(names ...string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.held(names)
}

func (j *Journal) held(names []string) error {
	var errs []error
	for _, n := range names {
		for _, i := range j.items {
			if slices.Contains(i.entry.Holds, n) {
				errs = append(errs, &HeldError{Name: n, By: i.entry.past()})
			}
		}
	}
	return errors.Join(errs...)
}

// HeldError is that a change which waits holds what another one needs.
type HeldError struct {
	Name string
	By   Entry
}

func (e *HeldError) Error() string {
	age := time.Since(e.By.Made).Truncate(time.Second)
	var b strings.Builder
	fmt.Fprintf(&b, "%s is held by change %s (%s), armed %s ago", e.Name, e.By.ID, e.By.What, age)
	if e.By.State == Armed {
		fmt.Fprintf(&b, ": first kvmnet bridge confirm %[1]s, or kvmnet bridge rollback %[1]s", e.By.ID)
	} else {
		fmt.Fprintf(&b, " and %s: wait until that is done, see kvmnet bridge list", e.By.State)
	}
	return b.String()
}

// freeID is one that neither the journal nor the history has.
func (j *Journal) freeID() string {
	for size := 2; ; size++ {
		b := make([]byte, size)
		rand.Read(b) // never fails
		id := hex.EncodeToString(b)
		if j.items[id] == nil && !slices.ContainsFunc(j.past, func(e Entry) bool { return e.ID == id }) {
			return id
		}
	}
}
