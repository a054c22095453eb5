package nft

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Apply makes all the changes in one transaction: every op has the same outcome.
// It returns an error an op, in their order. Ops that are done already are not
// errors. A Program that is added or set replaces the whole table; the elements
// it held and the ops leave alone stay.
func (c *Conn) Apply(ctx context.Context, ops []plan.Op) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.apply(ctx, ops)
	c.cache = nil
	return slices.Repeat([]error{err}, len(ops))
}

func (c *Conn) apply(ctx context.Context, ops []plan.Op) error {
	ch, err := c.sort(ops)
	switch {
	case err != nil:
		return err
	case ch.program == plan.Del:
		return c.deleteTable()
	case ch.program != "":
		return c.replace(ctx, ch)
	}
	return c.change(ctx, ch)
}

// change is what the ops of one call come to.
type change struct {
	program plan.Verb // "" = the program stays
	ops     []plan.Op // on elements
}

// sort checks every op before anything is touched.
func (c *Conn) sort(ops []plan.Op) (change, error) {
	var ch change
	for _, op := range ops {
		if ns := op.Object.Key().NS; ns != c.name {
			return ch, fmt.Errorf("%s: belongs to namespace %q, not %q", op, ns, c.name)
		}
		switch o := op.Object.(type) {
		case plan.Program:
			ch.program = op.Verb
		case plan.Element:
			if _, err := element(o); err != nil && op.Verb != plan.Del {
				return ch, fmt.Errorf("%s: %w", op, err)
			}
			ch.ops = append(ch.ops, op)
		default:
			return ch, fmt.Errorf("%s: is not an object of nftables", op)
		}
	}
	return ch, nil
}

func (c *Conn) deleteTable() error {
	c.batch.DelTable(&nftables.Table{Name: Table, Family: nftables.TableFamilyINet})
	if err := c.batch.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table inet %s: %w", Table, err)
	}
	return nil
}

// replace loads the program with the elements that will be wanted after the ops:
// into the table that is there if it can be, else in its place.
func (c *Conn) replace(ctx context.Context, ch change) error {
	old, state, _, err := c.read(ctx)
	if err != nil {
		return fmt.Errorf("replace table inet %s: %w", Table, err)
	}
	have := slices.Collect(plan.Of[plan.Element](state))
	for _, op := range ch.ops {
		if op.Verb == plan.Del {
			delete(state, op.Object.Key())
		} else {
			state.Add(op.Object)
		}
	}
	var want []plan.Element
	for e := range plan.Of[plan.Element](state) {
		// What an older program held and this one has no chain for stays behind.
		if _, err := element(e); err == nil {
			want = append(want, e)
		}
	}
	if text, ok := refill(old, have, want); ok && load(ctx, c.ns, text) == nil {
		return nil
	}
	if err := load(ctx, c.ns, script(want)); err != nil {
		return fmt.Errorf("replace table inet %s: %w", Table, err)
	}
	return nil
}

// change applies ops on elements. The kernel refuses a batch in which one element
// is there already with another verdict, or is gone already; then the ops are
// compared with what it holds, and tried again without what is done.
func (c *Conn) change(ctx context.Context, ch change) error {
	ops := ch.ops
	for range attempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.flush(ops)
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
			return named(ops, err)
		}
		_, state, _, readErr := c.read(ctx)
		if readErr != nil {
			return errors.Join(named(ops, err), readErr)
		}
		rest := remaining(ch.ops, state)
		if slices.Equal(rest, ops) {
			return named(ops, err)
		}
		ops = rest
	}
	return fmt.Errorf("%s: the ruleset changed during each of %d tries", ch.ops[0], attempts)
}

// remaining returns the ops that the state still lacks, verbs corrected.
func remaining(ops []plan.Op, have plan.State) []plan.Op {
	var rest []plan.Op
	for _, op := range ops {
		e := op.Object.(plan.Element)
		old, found := have[op.Object.Key()].(plan.Element)
		switch {
		case op.Verb == plan.Del && !found, op.Verb != plan.Del && found && old.Value == e.Value:
		case op.Verb == plan.Del:
			rest = append(rest, op)
		case found:
			rest = append(rest, plan.Op{Verb: plan.Set, Object: e, Old: old})
		default:
			rest = append(rest, plan.Op{Verb: plan.Add, Object: e})
		}
	}
	return rest
}

// flush sends the ops as one batch, a message a map, deletions first: a verdict
// is changed by deleting and adding its key.
func (c *Conn) flush(ops []plan.Op) error {
	del, add := map[string][]nftables.SetElement{}, map[string][]nftables.SetElement{}
	for _, op := range ops {
		e := op.Object.(plan.Element)
		key, err := shapes[e.Map].key.encode(e.ID)
		if _, ok := shapes[e.Map]; !ok || err != nil {
			continue // a deletion of what this program cannot hold
		}
		if op.Verb != plan.Add {
			del[e.Map] = append(del[e.Map], nftables.SetElement{Key: key})
		}
		if op.Verb != plan.Del {
			row, err := element(e)
			if err != nil {
				return err
			}
			add[e.Map] = append(add[e.Map], row)
		}
	}
	// Errors of both are kept by the library, and Flush returns them.
	for name, rows := range del {
		_ = c.batch.SetDeleteElements(handle(name), rows)
	}
	for name, rows := range add {
		_ = c.batch.SetAddElements(handle(name), rows)
	}
	return c.batch.Flush()
}

// handle names a map of our table to the netlink library.
func handle(name string) *nftables.Set {
	return &nftables.Set{
		Table: &nftables.Table{Name: Table, Family: nftables.TableFamilyINet},
		Name:  name, IsMap: shapes[name].verdict,
	}
}

// named puts the op in front of an error. The kernel does not say which element
// of a batch it refused.
func named(ops []plan.Op, err error) error {
	switch {
	case err == nil:
		return nil
	case len(ops) == 1:
		return fmt.Errorf("%s: %w", ops[0], err)
	}
	return fmt.Errorf("%s, and %d more changes: %w", ops[0], len(ops)-1, err)
}
