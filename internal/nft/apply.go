package nft

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Apply makes all the changes in one transaction, and those on Redirects behind it in
// another: every op has the same outcome.
// It returns an error an op, in their order. Ops that are done already are not
// errors. A Program that is added or set replaces the whole table; the elements
// and chains it held and the ops leave alone stay.
func (c *Conn) Apply(ctx context.Context, ops []plan.Op) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	led, rules := partition(ops, func(op plan.Op) bool { _, is := op.Object.(plan.Redirect); return is })
	var err error
	if len(rules) > 0 {
		err = c.apply(ctx, rules)
	}
	if err == nil {
		err = c.detour(led)
	}
	c.cache = nil
	return slices.Repeat([]error{err}, len(ops))
}

// Permit adds elements at once, without a look at what is there: those that a later
// Apply would add as well. Elements that are there already stay.
func (c *Conn) Permit(rows []plan.Element) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops := make([]plan.Op, len(rows))
	for i, e := range rows {
		ops[i] = plan.Op{Verb: plan.Add, Object: e}
	}
	_, come, err := rowsOf(ops)
	if err != nil {
		return err
	}
	t := begin()
	t.change(unix.NFT_MSG_NEWSETELEM, come)
	return about(ops, c.commit(t))
}

func partition(ops []plan.Op, fits func(plan.Op) bool) (yes, no []plan.Op) {
	for _, op := range ops {
		if fits(op) {
			yes = append(yes, op)
		} else {
			no = append(no, op)
		}
	}
	return yes, no
}

func (c *Conn) apply(ctx context.Context, ops []plan.Op) error {
	ch, err := c.sort(ctx, ops)
	switch {
	case err != nil:
		return err
	case ch.program == plan.Del:
		return c.deleteTables()
	case ch.program != "":
		return c.replace(ctx, ch)
	}
	return c.change(ctx, ch)
}

// change is what the ops of one call come to.
type change struct {
	program plan.Verb       // "" = the program stays
	ops     []plan.Op       // on elements and chains
	bodies  map[string]body // of the chains, by their text
}

// sort checks every op before anything is touched.
func (c *Conn) sort(ctx context.Context, ops []plan.Op) (change, error) {
	var ch change
	var chains []plan.Chain
	for _, op := range ops {
		if ns := op.Object.Key().NS; ns != c.name {
			return ch, fmt.Errorf("%s: belongs to namespace %q, not %q", op, ns, c.name)
		}
		if err := check(op); err != nil {
			return ch, fmt.Errorf("%s: %w", op, err)
		}
		switch o := op.Object.(type) {
		case plan.Program:
			ch.program = op.Verb
			continue
		case plan.Chain:
			if op.Verb != plan.Del {
				chains = append(chains, o)
			}
		}
		ch.ops = append(ch.ops, op)
	}
	if len(chains) == 0 {
		return ch, nil
	}
	var err error
	ch.bodies, err = compiled.chains(ctx, chains)
	return ch, err
}

func check(op plan.Op) (err error) {
	switch o := op.Object.(type) {
	case plan.Program:
	case plan.Element:
		if op.Verb != plan.Del {
			_, err = row(o, op.Verb)
		}
	case plan.Chain:
		if !generated(o.Name) {
			err = errors.New("has no name of a chain that is made for an object")
		}
	default:
		err = errors.New("is not an object of nftables")
	}
	return err
}

func (c *Conn) deleteTables() error {
	for _, family := range families {
		t := begin()
		t.drop(family)
		if err := c.commit(t); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delete table %s: %w", named(family), err)
		}
	}
	return nil
}

// change applies ops on elements and chains. The kernel refuses a transaction in
// which one element is there already with another value, or is gone already; then
// the ops are compared with what it holds, and tried again without what is done.
func (c *Conn) change(ctx context.Context, ch change) error {
	all := ch.ops
	for range attempts {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := c.flush(ch)
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOENT) {
			return about(ch.ops, err)
		}
		_, state, _, readErr := c.read(ctx)
		if readErr != nil {
			return errors.Join(about(ch.ops, err), readErr)
		}
		rest := remaining(all, state)
		if slices.Equal(rest, ch.ops) {
			return about(ch.ops, err)
		}
		ch.ops = rest
	}
	return fmt.Errorf("%s: the ruleset changed during each of %d tries", all[0], attempts)
}

// remaining returns the ops that the state still lacks, verbs corrected.
func remaining(ops []plan.Op, have plan.State) []plan.Op {
	var rest []plan.Op
	for _, op := range ops {
		old, found := have[op.Object.Key()]
		switch {
		case op.Verb == plan.Del && !found, op.Verb != plan.Del && found && done(op.Object, old):
		case op.Verb == plan.Del:
			rest = append(rest, op)
		case found:
			rest = append(rest, plan.Op{Verb: plan.Set, Object: op.Object, Old: old})
		default:
			rest = append(rest, plan.Op{Verb: plan.Add, Object: op.Object})
		}
	}
	return rest
}

func done(want, have plan.Object) bool {
	switch w := want.(type) {
	case plan.Element:
		return w.Value == have.(plan.Element).Value
	case plan.Chain:
		return w.Digest == have.(plan.Chain).Digest
	}
	return false
}

// flush sends the change as one transaction. Verdicts of elements hold chains:
// they let go of those that leave first, and those that come are there before.
func (c *Conn) flush(ch change) error {
	gone, come, err := rowsOf(ch.ops)
	if err != nil {
		return err
	}
	t := begin()
	t.change(unix.NFT_MSG_DELSETELEM, gone)
	t.chains(ch.contents(), ch.leaving())
	t.change(unix.NFT_MSG_NEWSETELEM, come)
	return c.commit(t)
}

// about puts the op in front of an error. The kernel does not say which element
// of a batch it refused.
func about(ops []plan.Op, err error) error {
	switch {
	case err == nil:
		return nil
	case len(ops) == 1:
		return fmt.Errorf("%s: %w", ops[0], err)
	}
	return fmt.Errorf("%s, and %d more changes: %w", ops[0], len(ops)-1, err)
}
