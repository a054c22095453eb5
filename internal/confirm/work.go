package confirm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// tick is how long a wait for a deadline trusts a timer: timers stand still while
// the machine is suspended.
const tick = time.Second

// watch reverts the change at its deadline.
func (j *Journal) watch(i *item) {
	e := j.look(i)
	if e.Within <= 0 {
		return
	}
	j.work.Go(func() {
		for left := e.Due - j.SinceBoot(); left > 0; left = e.Due - j.SinceBoot() {
			if !sleep(i.over, min(left, tick)) {
				return
			}
		}
		_, err := j.Rollback(j.life, e.ID, fmt.Sprintf("nobody confirmed it within %s", e.Within))
		if err != nil && !errors.Is(err, ErrUnknown) {
			j.Log.Error("revert", "change", e.ID, "what", e.What, "error", err)
		}
	})
}

// sleep reports whether it was not woken by the end of ctx.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// revert takes the change back; the caller has the turn. A disk that fails is no
// reason to leave the network as it is.
func (j *Journal) revert(ctx context.Context, i *item, why string) error {
	e := j.look(i)
	if e.State == Armed {
		e.State, e.Why = Reverting, why
		if err := j.write(e); err != nil {
			j.Log.Error("write that a change is being reverted", "change", e.ID, "error", err)
		}
		j.put(i, e)
		i.end()
	}
	if err := j.kind(e).Revert(ctx, e.Change); err != nil {
		j.failed(i, err)
		return fmt.Errorf("revert %s (%s): %w; that is tried again", e.ID, e.What, err)
	}
	e.State, e.Ended = Reverted, time.Now()
	j.settle(i, e)
	return nil
}

// finish does what a confirmed change has still to do; the caller has the turn.
func (j *Journal) finish(ctx context.Context, i *item) {
	e := j.look(i)
	if i.unsure {
		if err := j.write(e); err != nil {
			j.failed(i, err)
			return
		}
		i.unsure = false
	}
	if err := j.kind(e).Finish(ctx, e.Change); err != nil {
		j.failed(i, err)
		return
	}
	j.settle(i, e)
}

// kind of a change; one that an other version of kvmnet armed may be unknown.
func (j *Journal) kind(e Entry) Kind {
	if k := j.Kinds[e.Kind]; k != nil {
		return k
	}
	return stranger{}
}

type stranger struct{}

func (stranger) Revert(_ context.Context, c Change) error { return unknown(c) }
func (stranger) Finish(_ context.Context, c Change) error { return unknown(c) }

func unknown(c Change) error {
	return fmt.Errorf("this kvmnet does not know changes of kind %q: start the version that made it", c.Kind)
}

// failed has the work tried again, a little later each time.
func (j *Journal) failed(i *item, err error) {
	e := j.look(i)
	first := e.Failure == ""
	e.Failure = err.Error()
	j.put(i, e)
	if !first {
		return
	}
	level := slog.LevelError
	if errors.Is(err, ErrLater) {
		level = slog.LevelDebug
	}
	j.Log.Log(j.life, level, "a change is not "+map[bool]string{true: "finished", false: "reverted"}[e.State == Confirmed]+", and that is tried again",
		"change", e.ID, "what", e.What, "error", err)
	j.work.Go(func() {
		for wait := firstRetry; sleep(j.life, wait); wait = min(2*wait, lastRetry) {
			if j.again(i) {
				return
			}
		}
	})
}

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 10 * time.Second
)

// again tries once more, and reports whether there is nothing left to do.
func (j *Journal) again(i *item) bool {
	i.turn.Lock()
	defer i.turn.Unlock()
	switch j.look(i).State {
	case Reverting:
		_ = j.revert(j.life, i, "") // kept in the entry
	case Confirmed:
		j.finish(j.life, i)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.items[i.entry.ID] != i
}

// settle moves the entry from the journal to the history. The network is as it is
// to be by now: when the disk fails, at most the history is lost, and what is in the
// journal is done once more at the next start.
func (j *Journal) settle(i *item, e Entry) {
	j.mu.Lock()
	i.entry = e
	i.entry.Failure = ""
	delete(j.items, e.ID)
	j.past = keep(append(j.past, e.past()))
	past := j.past
	j.mu.Unlock()
	if err := errors.Join(j.writeHistory(past), j.erase(e.ID)); err != nil {
		j.Log.Error("write the end of a change", "change", e.ID, "error", err)
	}
	j.Log.Info("change "+string(e.State), "change", e.ID, "what", e.What, "why", e.Why)
	if j.Ended != nil {
		j.Ended(e)
	}
}
