package confirm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrUnknown is that no change waits under that name.
var ErrUnknown = errors.New("no such change waits")

// ErrState is that a change is not in the state that was asked of it.
var ErrState = errors.New("it is confirmed")

// ErrLate is that a change cannot be confirmed any more.
var ErrLate = errors.New("too late")

// Confirm keeps a change; "" is the only one that waits. The entry says so on disk
// before anything is done about it. An entry with a Failure and no error is one that
// is confirmed and could not be finished yet: that is tried again.
func (j *Journal) Confirm(ctx context.Context, id, why string) (Entry, error) {
	i, err := j.find(id)
	if err != nil {
		return j.confirmed(id, err)
	}
	i.turn.Lock()
	defer i.turn.Unlock()
	e := j.look(i)
	if err := j.confirmable(e); err != nil || e.State == Confirmed {
		return e, err
	}
	e.State, e.Ended, e.Why = Confirmed, time.Now(), why
	if err := j.write(e); err != nil && !j.unsure(i, e) {
		return j.look(i), fmt.Errorf("write that %s is confirmed: %w; it is still armed, confirm it again", e.ID, err)
	}
	j.put(i, e)
	i.end()
	j.finish(context.WithoutCancel(ctx), i)
	return j.look(i), nil
}

// confirmed finds a change that is confirmed and finished already, say by a moment: who
// asks for that has what they want. "" is the last one, unless others wait.
func (j *Journal) confirmed(id string, otherwise error) (Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range slices.Backward(j.past) {
		if e.ID != id && (id != "" || len(j.items) > 0) {
			continue
		}
		if e.State == Confirmed {
			return e, nil
		}
		break
	}
	return Entry{}, otherwise
}

// unsure decides what counts when the disk failed in the middle of a confirmation, and
// reports whether the change is confirmed. It is armed again if the disk takes that;
// else what stands in the file counts, for another process would go by it. Nothing is
// finished then before the entry is written without a fault.
func (j *Journal) unsure(i *item, e Entry) bool {
	if j.write(j.look(i)) == nil {
		return false
	}
	data, err := j.disk.read(fileName(e.ID))
	if err != nil {
		return false
	}
	stands, err := parse(data)
	i.unsure = err == nil && stands.State == Confirmed
	return i.unsure
}

func (j *Journal) confirmable(e Entry) error {
	switch {
	case e.State == Confirmed:
		return nil
	case e.State != Armed, e.Within > 0 && j.SinceBoot() >= e.Due:
		return fmt.Errorf("confirm %s (%s): %w, it is being reverted", e.ID, e.What, ErrLate)
	}
	return nil
}

// Rollback takes a change back at once; "" is the only one that waits. When that
// fails it is tried again until it is done.
func (j *Journal) Rollback(ctx context.Context, id, why string) (Entry, error) {
	i, err := j.find(id)
	if err != nil {
		return Entry{}, err
	}
	i.turn.Lock()
	defer i.turn.Unlock()
	switch e := j.look(i); e.State {
	case Confirmed:
		return e, fmt.Errorf("roll back %s (%s): %w", e.ID, e.What, ErrState)
	case Reverted:
		return e, nil // by somebody who had the turn before
	}
	err = j.revert(context.WithoutCancel(ctx), i, why)
	return j.look(i), err
}

// find finds a change that waits.
func (j *Journal) find(id string) (*item, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if i := j.items[id]; i != nil {
		return i, nil
	}
	var ids []string
	for _, i := range j.items {
		ids = append(ids, fmt.Sprintf("%s (%s)", i.entry.ID, i.entry.What))
	}
	slices.Sort(ids)
	switch {
	case id == "" && len(ids) == 1:
		for _, i := range j.items {
			return i, nil
		}
	case id == "" && len(ids) > 1:
		return nil, fmt.Errorf("several changes wait, name one: %s", strings.Join(ids, ", "))
	case id == "" && len(j.past) > 0:
		e := j.past[len(j.past)-1]
		return nil, fmt.Errorf("%w for a confirmation; the last, %s (%s), was %s", ErrUnknown, e.ID, e.What, e.told())
	case id == "":
		return nil, fmt.Errorf("%w for a confirmation", ErrUnknown)
	}
	if n := slices.IndexFunc(j.past, func(e Entry) bool { return e.ID == id }); n >= 0 {
		return nil, fmt.Errorf("%w as %s: it was %s", ErrUnknown, id, j.past[n].told())
	}
	return nil, fmt.Errorf("%w as %s; those that do: %s", ErrUnknown, id, strings.Join(append(ids, "none")[:max(1, len(ids))], ", "))
}

// told says what became of a change.
func (e Entry) told() string {
	text := fmt.Sprintf("%s at %s", e.State, e.Ended.Format(time.DateTime))
	if e.Why != "" {
		text += " (" + e.Why + ")"
	}
	return text
}

func (j *Journal) look(i *item) Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := i.entry
	e.Left = j.left(e)
	return e
}

func (j *Journal) put(i *item, e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	i.entry = e
}
