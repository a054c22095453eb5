package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// batch bounds how many ops go to the host at once, so that progress can be told
// and a request to end is heard. Only long work is cut; the rules of a program
// that is loaded anew always go in one piece (see cut).
const batch = 500

// pass makes the host as the specs want it, once: look, then apply.
func (e *Engine) pass(ctx context.Context) (Report, error) {
	begin := time.Now()
	e.known = nil
	r, want, err := e.look(ctx, nil)
	if err != nil {
		return r, err
	}
	if e.o.Looked != nil {
		e.o.Looked(ctx, r.Have)
	}
	calm := len(r.Ops) == 0
	e.farewell(&r)
	e.apply(ctx, &r, want)
	e.after(ctx, &r, want)
	e.serve(&r)
	r.At, r.Took = time.Now(), time.Since(begin)
	e.last = r.outcome()
	if calm && (e.severed || e.o.Aftermath == nil) {
		e.known = knownBy(&r)
	}
	return r, nil
}

// look observes the host and compares it with what live wants, or, when nil,
// with what is to run now.
func (e *Engine) look(ctx context.Context, live *spec.Spec) (Report, plan.State, error) {
	now, unreadable := e.o.Live()
	if live == nil {
		live = now
	}
	if live == nil {
		return Report{}, nil, unreadable
	}
	have, err := e.o.Host.Observe(ctx)
	if err != nil {
		return Report{}, nil, err
	}
	facts, err := e.facts(live, have)
	if err != nil {
		return Report{}, nil, err
	}
	if unreadable != nil {
		facts = facts.Keep(have, owners(unreadable))
	}
	free, waiting, shared := plan.Yield(live, facts, have)
	drawn := e.draw(live, free, facts)
	ops, conflicts := plan.Diff(drawn.want, have)
	r := Report{Have: have, Want: drawn.want, Facts: facts, Ops: ops, live: drawn.free, all: live}
	if unreadable != nil {
		r.block("host", unreadable.Error())
		for _, owner := range owners(unreadable) {
			r.block(owner, "its definition cannot be read; what it has stays")
		}
	}
	for _, c := range append(waiting, conflicts...) {
		r.block(c.Owner, c.Message)
	}
	for _, w := range append(shared, drawn.warnings...) {
		r.Note(w.Owner, w.Message)
	}
	if e.o.Servers != nil {
		r.Services, r.served = e.servable(drawn.services, &r), e.served
	}
	return r, drawn.want, nil
}

// owners finds the objects that an error is about, as package store tells them.
func owners(err error) (list []string) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			list = append(list, owners(e)...)
		}
	}
	if of, ok := err.(interface{ Owner() string }); ok {
		list = append(list, of.Owner())
	}
	return list
}

func (e *Engine) facts(live *spec.Spec, have plan.State) (plan.Facts, error) {
	facts := e.o.Facts
	borrowed, err := e.o.Record.Borrowed()
	if err != nil {
		return facts, err
	}
	facts.Borrowed = borrowed
	if e.o.UIDs != nil {
		facts.UIDs = e.o.UIDs(live)
	}
	return e.learn(facts, live).Learn(have), nil
}

// apply does the report's ops. What is borrowed is recorded on disk before the
// first op, and struck from the record after the last, so that a crash anywhere
// in between leaves a record from which the host's own values can be restored.
func (e *Engine) apply(ctx context.Context, r *Report, want plan.State) {
	record := r.Facts.Borrow(want)
	if err := e.record(r.Facts.Borrowed, record); err != nil {
		r.fail("host", err)
		r.Ops = nil
		return
	}
	e.run(ctx, r)
	if !r.Failed {
		if err := e.record(record, record.Return(want)); err != nil {
			r.fail("host", err)
		}
	}
}

func (e *Engine) record(old, next plan.Borrowed) error {
	if maps.Equal(old, next) {
		return nil
	}
	return e.o.Record.Borrow(next)
}

// run hands the ops to the host in batches and keeps in the report those that
// were done. Behind one that fails it goes on with those that do not depend on it.
func (e *Engine) run(ctx context.Context, r *Report) {
	todo, total := r.Ops, len(r.Ops)
	r.Ops = nil
	for len(todo) > 0 {
		if err := ctx.Err(); err != nil {
			r.fail("host", fmt.Errorf("apply %d of %d changes: %w", total-len(todo), total, err))
			return
		}
		errs := e.o.Host.Apply(ctx, todo[:cut(todo)])
		var failed []plan.Op
		for i, err := range errs {
			if e.did(r, todo[i], err); err != nil {
				failed = append(failed, todo[i])
			}
		}
		todo = e.unhindered(todo[len(errs):], failed)
		if e.o.Step != nil {
			e.o.Step(total-len(todo), total)
		}
	}
}

// serve tells the servers what to serve.
func (e *Engine) serve(r *Report) {
	if e.o.Servers == nil {
		return
	}
	for owner, problems := range e.o.Servers.Set(r.Services, r.Have) {
		r.Degraded = true
		for _, p := range problems {
			for reason := range strings.SplitSeq(p, "\n") { // errors.Join
				r.Note(owner, reason)
			}
		}
	}
	e.served = r.Services
}

// servable returns what is to be served. A network that waits for its bridge goes
// on with what its guests have, if anything: a stranger's bridge is not served.
func (e *Engine) servable(want []plan.Service, r *Report) []plan.Service {
	return slices.Collect(func(yield func(plan.Service) bool) {
		for _, s := range want {
			if r.Blocked(s.Owner()) {
				i := slices.IndexFunc(e.served, func(had plan.Service) bool {
					return had.Network == s.Network && had.NS == s.NS
				})
				if i < 0 {
					continue
				}
				s = e.served[i]
			}
			if !yield(s) {
				return
			}
		}
	})
}

// unhindered leaves out the ops that must wait for one that failed, and those
// that must wait for them.
func (e *Engine) unhindered(todo, failed []plan.Op) []plan.Op {
	if len(failed) == 0 {
		return todo
	}
	var kept []plan.Op
	for _, op := range todo {
		if slices.ContainsFunc(failed, func(f plan.Op) bool { return f.Hinders(op) }) {
			e.log.Warn("op waits", "op", op.String())
			failed = append(failed, op)
			continue
		}
		kept = append(kept, op)
	}
	return kept
}

func (e *Engine) did(r *Report, op plan.Op, err error) {
	if err != nil {
		e.log.Warn("op", "op", op.String(), "error", err)
		r.fail(op.Object.Owner(), err)
		return
	}
	e.log.Info("op", "op", op.String())
	r.Ops = append(r.Ops, op)
}

// cut returns how many of the ops make the next batch: rules stay together, so
// that the maps are never seen half filled.
func cut(ops []plan.Op) int {
	n := min(batch, len(ops))
	for n < len(ops) && ops[0].Object.Key().Kind <= plan.KindElement && ops[n].Object.Key().Kind <= plan.KindElement {
		n++
	}
	return n
}

func (r *Report) fail(owner string, err error) {
	if owner == "" {
		owner = "host"
	}
	r.Failed = true
	r.block(owner, err.Error())
}
