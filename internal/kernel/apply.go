package kernel

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kvmnet/internal/plan"
)

// Apply does the ops in order and returns an error or nil for each it tried: it
// stops behind the first that fails, because only the caller knows what may go on
// without it. What is done already is not an error. Once ctx ends, the next op
// fails.
func (k *Kernel) Apply(ctx context.Context, ops []plan.Op) []error {
	if slices.ContainsFunc(ops, func(op plan.Op) bool { return op.Object.Key().NS != k.name }) {
		return slices.Repeat([]error{fmt.Errorf("apply in netns %q: ops of another namespace", k.name)}, len(ops))
	}
	a := applier{k: k, indexes: map[string]int{}}
	errs := make([]error, 0, len(ops))
	for len(errs) < len(ops) && !slices.ContainsFunc(errs, failed) {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		errs = append(errs, a.next(ops[len(errs):])...)
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%s: %w", subject(ops[i]), err)
		}
	}
	return errs
}

func failed(err error) bool { return err != nil }

// applier is one call of Apply.
type applier struct {
	k       *Kernel
	indexes map[string]int // of links found or made so far
}

// next does the first ops, as many as go together: links are deleted in
// groups, and settings written in one visit. It returns an error or nil for each.
func (a *applier) next(ops []plan.Op) []error {
	if n := run(ops, deletesLink); n > 0 {
		return a.delLinks(ops[:min(n, together)])
	}
	if n := run(ops, isSysctl); n > 0 {
		return a.setSysctls(ops[:n])
	}
	return []error{a.do(ops[0])}
}

func run(ops []plan.Op, fits func(plan.Op) bool) int {
	n := slices.IndexFunc(ops, func(op plan.Op) bool { return !fits(op) })
	if n < 0 {
		return len(ops)
	}
	return n
}

func deletesLink(op plan.Op) bool {
	_, ok := op.Object.(plan.Link)
	return ok && op.Verb == plan.Del
}

func isSysctl(op plan.Op) bool {
	_, ok := op.Object.(plan.Sysctl)
	return ok
}

// do does one op. An address, a route and the up state are there or not: to set
// one is to add it.
func (a *applier) do(op plan.Op) error {
	del := op.Verb == plan.Del
	switch o := op.Object.(type) {
	case plan.Link:
		if from, ok := op.Renames(); ok {
			if err := a.rename(from, o); err != nil {
				return err
			}
		}
		if op.Verb == plan.Set || o.Foreign {
			return a.setLink(o)
		}
		return a.addLink(o)
	case plan.Up:
		return a.setUp(o, !del)
	case plan.Addr:
		if del {
			return a.delAddr(o)
		}
		return a.addAddr(o)
	case plan.Route:
		if del {
			return a.delRoute(o)
		}
		return a.addRoute(o)
	case plan.Rule:
		if del {
			return a.delRule(o)
		}
		return a.addRule(o)
	case plan.Shape:
		if del {
			return a.delShape(o)
		}
		return a.shape(o)
	case plan.Isolation:
		return a.isolation(o, o.On && !del)
	}
	return fmt.Errorf("%T is not an object of rtnetlink", op.Object)
}

// index finds the index of a link; the error names the link.
func (a *applier) index(name string) (int, error) {
	if index, known := a.indexes[name]; known {
		return index, nil
	}
	d, err := a.k.device(name)
	if err != nil {
		return 0, fmt.Errorf("find link %s: %w", name, err)
	}
	a.indexes[name] = d.index
	return d.index, nil
}

// subject names an op and its object shortly: "add link lab0".
func subject(op plan.Op) string {
	text := op.Object.String()
	if l, ok := op.Object.(plan.Link); ok {
		text = "link " + l.Name
	}
	if ns := op.Object.Key().NS; ns != "" {
		return fmt.Sprintf("netns %s %s %s", ns, op.Verb, text)
	}
	return fmt.Sprintf("%s %s", op.Verb, text)
}

// unlessGone forgets an error that says that the work is done already.
func unlessGone(err error, done ...error) error {
	if slices.ContainsFunc(done, func(d error) bool { return errors.Is(err, d) }) {
		return nil
	}
	return err
}
