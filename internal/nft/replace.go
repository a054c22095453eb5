package nft

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// replacement is the program to be loaded, and what was there before.
type replacement struct {
	change
	program listed
	old     tables
	state   plan.State
	want    []plan.Op // additions of all elements that stay or come
}

// replace loads the program with the chains and elements that will be wanted
// after the ops: into the tables that are there if it can be, else in their place.
func (c *Conn) replace(ctx context.Context, ch change) error {
	program, replays, err := compiled.get(ctx, c.name)
	if err != nil {
		return err
	}
	old, state, _, err := c.read(ctx)
	if err != nil {
		return fmt.Errorf("replace the nftables program: %w", err)
	}
	ch.ops = withoutDone(ch.ops, state)
	r := replacement{ch, program, old, state, wanted(state, ch.ops)}
	switch {
	case !old.there():
		err = c.fresh(ctx, r, replays)
	case !old.mendable(program.tables) || c.mend(r) != nil:
		err = c.renew(r)
	}
	if err != nil {
		return fmt.Errorf("replace the nftables program: %w", err)
	}
	return nil
}

// withoutDone leaves out deletions of what is gone.
func withoutDone(ops []plan.Op, state plan.State) []plan.Op {
	return slices.DeleteFunc(slices.Clone(ops), func(op plan.Op) bool {
		_, there := state[op.Object.Key()]
		return op.Verb == plan.Del && !there
	})
}

// wanted are the elements that stay or come. What an older program held and this
// one has no map or chain for stays behind.
func wanted(state plan.State, ops []plan.Op) []plan.Op {
	after := plan.State{}
	for key, o := range state {
		after[key] = o
	}
	for _, op := range ops {
		if op.Verb == plan.Del {
			delete(after, op.Object.Key())
		} else {
			after.Add(op.Object)
		}
	}
	var adds []plan.Op
	for e := range plan.Of[plan.Element](after) {
		if _, err := row(e, plan.Add); err == nil && !dangling(e, after) {
			adds = append(adds, plan.Op{Verb: plan.Add, Object: e})
		}
	}
	return adds
}

// dangling reports whether an element leads to a generated chain that is not there.
func dangling(e plan.Element, state plan.State) bool {
	chain, _ := strings.CutPrefix(e.Value, "jump ")
	_, there := state[plan.Chain{NS: e.NS, Name: chain}.Key()]
	return generated(chain) && !there
}

// fresh makes the tables where none is. A kernel that does not take what it lists
// gets the program as text.
func (c *Conn) fresh(ctx context.Context, r replacement, replays bool) error {
	t := begin()
	t.all(r.program)
	if err := t.data(r, nil); err != nil {
		return err
	}
	if replays && c.commit(t) == nil {
		return nil
	}
	return load(ctx, c.ns, script(c.name, r.want, r.ops))
}

// mend turns the tables that are there into ours without a gap: the chains stay on
// their hooks and change from old rules to new ones at once, and only elements
// that differ are touched.
func (c *Conn) mend(r replacement) error {
	keep := map[plan.Key]string{}
	for _, op := range r.want {
		keep[op.Object.Key()] = op.Object.(plan.Element).Value
	}
	var ops []plan.Op
	for e := range plan.Of[plan.Element](r.state) {
		if value, found := keep[e.Key()]; !found || value != e.Value {
			ops = append(ops, plan.Op{Verb: plan.Del, Object: e})
		}
	}
	gone, _, err := rowsOf(ops)
	if err != nil {
		return err
	}
	t := begin()
	t.change(unix.NFT_MSG_DELSETELEM, gone)
	for i := range r.old {
		t.clear(r.old[i], r.program.tables[i])
	}
	t.all(r.program)
	if err := t.data(r, nil); err != nil {
		return err
	}
	return c.commit(t)
}

// renew puts new tables in the place of those that are there, with the chains
// that the ops leave alone.
func (c *Conn) renew(r replacement) error {
	var kept []content
	bodies := r.old[0].bodies()
	for _, chain := range r.old[0].generated(c.name) {
		named := func(op plan.Op) bool { return op.Object.Key() == chain.Key() }
		if !slices.ContainsFunc(r.ops, named) {
			kept = append(kept, content{chain.Name, bodies[chain.Name], nil})
		}
	}
	t := begin()
	for _, old := range r.old {
		if old.self != nil {
			t.drop(old.family)
		}
	}
	t.all(r.program)
	r.ops = slices.DeleteFunc(r.ops, func(op plan.Op) bool { return op.Verb == plan.Del })
	if err := t.data(r, kept); err != nil {
		return err
	}
	return c.commit(t)
}

// data makes the chains and the elements.
func (t *transaction) data(r replacement, kept []content) error {
	_, come, err := rowsOf(r.want)
	t.chains(append(kept, r.contents()...), r.leaving())
	t.change(unix.NFT_MSG_NEWSETELEM, come)
	return err
}
