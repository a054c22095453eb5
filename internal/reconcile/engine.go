package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Times of the loop.
const (
	settle  = 10 * time.Millisecond // after a wake-up, for more of them to come
	resync  = 30 * time.Second      // between looks nobody asked for
	backoff = time.Second           // after a failure; doubled up to resync
)

// Record is where the values of borrowed host settings are kept, durably, before
// they are changed.
type Record interface {
	Borrowed() (map[string]string, error)
	Borrow(map[string]string) error
}

// Servers answer what guests ask for: addresses, names, routers. They are told
// with every pass what to serve, and are the same after being told it twice.
type Servers interface {
	// Farewell ends service on the networks that want does not have, while their
	// bridges are still there.
	Farewell(want []plan.Service)
	// Set serves just that on the host as it was seen, and returns by owner what
	// cannot be served at the moment.
	Set(want []plan.Service, host plan.State) map[string][]string
	// Update serves what is wanted on one network that is served already: ports came
	// or went. It returns what cannot be served at the moment.
	Update(want plan.Service) []string
}

// Options are what an Engine needs.
type Options struct {
	Host Host // required
	// Live returns the networks that run, bridges and ports, with defaults. What it
	// returned once is not changed any more; while nothing else is wanted it may
	// return the same again, and that is quicker. An error beside a spec tells what
	// could not be read; what the Owner() of such an error has on the host stays.
	// Required.
	Live      func() (*spec.Spec, error)
	Record    Record                             // required
	Facts     plan.Facts                         // HostID and Program; the rest is learned
	UIDs      func(*spec.Spec) map[string]string // numbers of the users who own taps; nil = none
	Servers   Servers                            // serve the guests of the networks; nil = nobody does
	Guests    Guests                             // where guests are; nil = nobody knows
	Uplinks   Uplinks                            // get addresses for uplinks; nil = nobody does
	Aftermath Aftermath                          // nil = what is left to do after a change is not done
	Passed    func(r Report, asked bool)         // told of every pass that did something or failed; nil = nobody
	Step      func(done, total int)              // told of progress within a pass; nil = nobody
	// Looked hears what a whole pass saw, before its ops, and must not wait; nil = nobody.
	Looked func(ctx context.Context, have plan.State)
	Log    *slog.Logger // nil = none
}

// Engine is the loop. Make it with New, then Run it; the other methods may be
// called from any goroutine while it runs.
type Engine struct {
	o        Options
	log      *slog.Logger
	wake     chan struct{}
	requests chan request
	paused   bool // owned by the loop
	repairs  int
	retry    time.Duration // until the pass after a failed one; 0 = the last one succeeded
	last     Report
	drawn    *drawing
	served   []plan.Service
	told     map[string][]string
	severed  bool      // no connection is left that would not begin any more
	cut      []plan.Op // those after which this was tried in vain
	known    *known    // what a quick pass goes by; nil = the next pass looks at everything
}

type request struct {
	do   func(ctx context.Context)
	done chan struct{}
}

// New makes an engine that does not run yet.
func New(o Options) *Engine {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Engine{o: o, log: log.With("component", "reconcile"), wake: make(chan struct{}, 1), requests: make(chan request)}
}

// Wake asks for a pass soon. It never blocks; many calls make one pass.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Run turns the loop until ctx ends. The first pass begins at once.
func (e *Engine) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watching := make(chan error, 1)
	go func() { watching <- e.o.Host.Watch(ctx, e.Wake) }()
	err := e.turn(ctx, watching)
	cancel()
	return err
}

// turn waits for whatever comes first: the end, a request, or the time of the
// next pass, which a wake-up brings near but, once near, does not put off.
func (e *Engine) turn(ctx context.Context, watching chan error) error {
	next, settling := time.NewTimer(0), false
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			<-watching
			return nil
		case err := <-watching:
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("watch the kernel: %w", err)
		case r := <-e.requests:
			r.do(ctx)
			close(r.done)
			if e.known.unconfirmed() {
				settling = true
				next.Reset(e.known.confirmIn())
			}
		case <-e.wake:
			if !settling {
				settling = true
				next.Reset(e.settle())
			}
		case <-next.C:
			settling = false
			next.Reset(e.unasked(ctx))
		}
	}
}

// settle is how long to wait after a wake-up. A pass that fails wakes the loop by
// the part it did; it must not do so a hundred times a second.
func (e *Engine) settle() time.Duration {
	if e.retry > 0 {
		return 25 * settle
	}
	return settle
}

// unasked makes a pass nobody asked for and returns the time until the next.
func (e *Engine) unasked(ctx context.Context) time.Duration {
	if e.paused {
		return resync
	}
	r, err := e.pass(ctx)
	if err != nil {
		e.log.Warn("pass", "error", err)
	}
	e.repairs += len(r.Ops)
	e.tell(r, false)
	if err == nil && !r.Failed && !r.Degraded {
		e.retry = 0
		return resync
	}
	e.retry = min(max(2*e.retry, backoff), resync)
	return e.retry
}

// tell passes on what a pass did, and problems that are new.
func (e *Engine) tell(r Report, asked bool) {
	problems := r.Problems
	if r.ports != nil {
		problems = e.last.Problems
	}
	news := !maps.EqualFunc(problems, e.told, slices.Equal[[]string])
	e.told = problems
	if e.o.Passed != nil && (len(r.Ops) > 0 || news) {
		e.o.Passed(r, asked)
	}
}

// ask runs do in the loop's goroutine and waits for it.
func (e *Engine) ask(ctx context.Context, do func(ctx context.Context)) error {
	r := request{do, make(chan struct{})}
	select {
	case e.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-r.done // begun is finished: half a pass helps nobody
	return nil
}

// Sync makes a pass now and returns what it did. It also works while paused,
// because somebody asked.
func (e *Engine) Sync(ctx context.Context) (Report, error) {
	var r Report
	var err error
	asked := e.ask(ctx, func(loop context.Context) {
		if r, err = e.asked(loop); err == nil {
			e.tell(r, true)
		}
		if err != nil || r.Failed || r.Degraded {
			e.Wake()
		}
	})
	return r, errors.Join(asked, err)
}

// Preview returns the ops that would make the host as live wants it; nil is what
// runs now. Nothing is changed.
func (e *Engine) Preview(ctx context.Context, live *spec.Spec) (Report, error) {
	var r Report
	var err error
	asked := e.ask(ctx, func(loop context.Context) { r, _, err = e.look(loop, live) })
	return r, errors.Join(asked, err)
}

// Have returns the host's state as it is now.
func (e *Engine) Have(ctx context.Context) (plan.State, error) {
	var have plan.State
	var err error
	asked := e.ask(ctx, func(loop context.Context) { have, err = e.o.Host.Observe(loop) })
	return have, errors.Join(asked, err)
}

// Collect deletes what is ours and nobody wants, gives back what was borrowed for
// it, and changes nothing else.
func (e *Engine) Collect(ctx context.Context) (Report, error) {
	var r Report
	var err error
	asked := e.ask(ctx, func(loop context.Context) {
		var want plan.State
		if r, want, err = e.look(loop, nil); err == nil {
			r.Ops = removals(r.Ops)
			e.known = nil
			e.apply(loop, &r, want)
		}
	})
	return r, errors.Join(asked, err)
}

func removals(ops []plan.Op) []plan.Op {
	return slices.DeleteFunc(ops, func(o plan.Op) bool { return o.Verb != plan.Del && !o.GivesBack() })
}

// Pause stops passes nobody asked for; resuming makes one at once.
func (e *Engine) Pause(ctx context.Context, on bool) error {
	return e.ask(ctx, func(context.Context) {
		e.paused = on
		if !on {
			e.Wake()
		}
	})
}

// Snapshot is the loop's own state.
type Snapshot struct {
	Paused  bool
	Repairs int    // ops applied that nobody asked for
	Last    Report // without what was seen and done
}

// Snapshot returns the loop's state between two passes.
func (e *Engine) Snapshot(ctx context.Context) (Snapshot, error) {
	var s Snapshot
	err := e.ask(ctx, func(context.Context) { s = Snapshot{e.paused, e.repairs, e.last} })
	return s, err
}
