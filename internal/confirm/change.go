package confirm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Change is one that is armed: it is reverted at its deadline unless it is confirmed.
type Change struct {
	ID       string          `json:"id"`                // "" = the next free
	Kind     string          `json:"kind"`              // who reverts it
	What     string          `json:"what"`              // "eth0 into br0", for people
	Holds    []string        `json:"holds"`             // interfaces and objects nobody else may change meanwhile
	Boot     string          `json:"boot"`              // when it was armed; set by Arm
	Made     time.Time       `json:"made"`              // set by Arm
	Within   time.Duration   `json:"within,omitempty"`  // 0 = no deadline: it waits over restarts and boots, too
	Deadline time.Time       `json:"deadline,omitzero"` // for people, who have no other clock; set by Arm
	Lasting  bool            `json:"lasting,omitempty"` // what it changes outlives a boot, and so does the duty to revert it
	Before   json.RawMessage `json:"before,omitempty"`  // what Revert goes back to
	After    json.RawMessage `json:"after,omitempty"`   // what Finish has still to do
}

// Kind reverts and finishes changes of one kind. Both may be called again for a
// change that they have done in part or as a whole, also by another process: what is
// done already is no error.
type Kind interface {
	Revert(context.Context, Change) error
	Finish(context.Context, Change) error
}

// ErrLater is what a Kind says that cannot work yet. It is asked again, and nothing is
// amiss.
var ErrLater = errors.New("not yet")

// State is how far a change is.
type State string

// The states. One that is confirmed or reverting is in the journal until that is
// done, and in the history afterwards.
const (
	Armed     State = "armed"
	Confirmed State = "confirmed"
	Reverting State = "reverting"
	Reverted  State = "reverted"
)

// Entry is a change and what became of it.
type Entry struct {
	Change
	State   State     `json:"state"`
	Ended   time.Time `json:"ended,omitzero"`    // when it was confirmed or reverted
	Why     string    `json:"why,omitempty"`     // it was reverted, or who confirmed
	Failure string    `json:"failure,omitempty"` // the last try to revert or finish it; another follows

	Due  time.Duration `json:"due,omitempty"` // the deadline by the clock that runs from the boot on
	Left time.Duration `json:"-"`             // until then, of one that is armed
}

// past is the entry as the history keeps it.
func (e Entry) past() Entry {
	e.Before, e.After, e.Failure = nil, nil, ""
	return e
}

func byAge(a, b Entry) int { return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.ID, b.ID)) }

// newestFirst sorts a copy.
func newestFirst(list []Entry) []Entry {
	list = slices.SortedFunc(slices.Values(list), byAge)
	slices.Reverse(list)
	return list
}
