package reconcile

import (
	"maps"
	"slices"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Report tells what a pass saw and did.
type Report struct {
	Have     plan.State          // the state seen before the ops
	Facts    plan.Facts          // what followed from it
	Want     plan.State          // what is to be, of the specs and the facts
	Ops      []plan.Op           // applied, or, in a preview, pending
	Problems map[string][]string // by owner, why something is not as wanted
	Failed   bool                // an op failed; the loop tries again later
	Degraded bool                // something cannot be served; the loop tries again later
	Services []plan.Service      // what is to be served on the networks
	blocked  map[string]bool     // owners in conflict, or with an op that failed
	served   []plan.Service      // before
	live     *spec.Spec          // what the ops lead to
	all      *spec.Spec          // that and what must wait
	ports    []string            // that a quick pass was about; nil = it was a whole one
	At       time.Time           // end of the pass
	Took     time.Duration
}

// Glanced reports whether the pass was about some ports alone. Then Have is what they
// and their links came to, and nothing else.
func (r *Report) Glanced() bool { return r.ports != nil }

// Serves lists how what is to be served differs from what was served before.
func (r *Report) Serves() []string { return plan.DiffServices(r.served, r.Services) }

// outcome is the report without what was seen and done: with a thousand networks
// that is megabytes, and nobody asks for it later.
func (r Report) outcome() Report {
	r.Have, r.Want, r.Ops, r.served, r.live, r.all = nil, nil, nil, nil, nil, nil
	r.Facts = plan.Facts{Uplinks4: r.Facts.Uplinks4, Uplinks6: r.Facts.Uplinks6}
	return r
}

// Note adds why an owner's objects are not as wanted; the same reason twice
// counts once.
func (r *Report) Note(owner, message string) {
	if r.Problems == nil {
		r.Problems = map[string][]string{}
	}
	if !slices.Contains(r.Problems[owner], message) {
		r.Problems[owner] = append(r.Problems[owner], message)
	}
}

// Objects names the objects with problems, sorted.
func (r *Report) Objects() []string { return slices.Sorted(maps.Keys(r.Problems)) }

// Blocked reports whether the owner's objects could not be made, because of a
// conflict or because the host refused. Waiting for an uplink is not blocked.
func (r *Report) Blocked(owner string) bool { return r.blocked[owner] }

func (r *Report) block(owner, message string) {
	if r.blocked == nil {
		r.blocked = map[string]bool{}
	}
	r.blocked[owner] = true
	r.Note(owner, message)
}
