package confirm

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Recover ends what an earlier process left, the newest first, and must be called
// before anything else changes the network:
//
//   - what is confirmed is finished;
//   - what has no deadline goes on waiting;
//   - what was armed in this boot, or outlives one, is reverted;
//   - what was armed in another boot is over: the boot reverted it.
//
// It returns what became of each. What fails is tried again until the journal is
// closed.
func (j *Journal) Recover(ctx context.Context) ([]Entry, error) {
	var ended []Entry
	var errs []error
	for _, e := range j.Pending() {
		if j.isPast(e) {
			j.forget(e.ID)
			continue
		}
		i, err := j.find(e.ID)
		if err != nil {
			continue // the deadline came meanwhile
		}
		if end, err := j.recover(ctx, i); errors.Is(err, ErrLater) {
			continue
		} else if err != nil {
			errs = append(errs, err)
		} else if end.State != Armed {
			ended = append(ended, end)
		}
	}
	return ended, errors.Join(errs...)
}

func (j *Journal) recover(ctx context.Context, i *item) (Entry, error) {
	i.turn.Lock()
	defer i.turn.Unlock()
	e := j.look(i)
	switch {
	case e.State == Confirmed:
		i.end()
		j.finish(ctx, i)
		if e = j.look(i); e.Failure != "" {
			return e, errors.New(e.Failure)
		}
		return e, nil
	case e.State == Armed && e.Within == 0:
		return e, nil
	case e.Boot != j.Boot && !e.Lasting && e.Within > 0:
		i.end()
		e.State, e.Ended, e.Why = Reverted, time.Now(), "the machine was started anew before anybody confirmed it"
		j.settle(i, e)
		return e, nil
	}
	err := j.revert(ctx, i, "the daemon ended before anybody confirmed it")
	return j.look(i), err
}

// isPast reports whether the history has the end of a change, so that only the entry
// is left to remove.
func (j *Journal) isPast(e Entry) bool {
	return slices.ContainsFunc(j.History(), func(p Entry) bool { return p.ID == e.ID && p.Made.Equal(e.Made) })
}

// forget removes an entry. One that cannot be removed is seen again at the next
// start.
func (j *Journal) forget(id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.items[id].end()
	delete(j.items, id)
	if err := j.erase(id); err != nil {
		j.Log.Error("remove the entry of a change that is over", "change", id, "error", err)
	}
}
