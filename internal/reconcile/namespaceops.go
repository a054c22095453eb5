package reconcile

import (
	"context"
	"errors"
	"fmt"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// apply does ops on namespaces, up to the first that fails.
func (s *routers) apply(ctx context.Context, ops []plan.Op) []error {
	var errs []error
	for _, op := range ops {
		err := ctx.Err()
		if err == nil {
			err = s.do(op.Verb, op.Object.(plan.Netns))
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", op, err)
		}
		if errs = append(errs, err); err != nil {
			break
		}
	}
	return errs
}

func (s *routers) do(verb plan.Verb, o plan.Netns) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, taken, err := s.current(o.Name)
	switch {
	case err != nil:
		return err
	case verb == plan.Del && n != nil:
		return s.del(n, o)
	case verb == plan.Del:
		return nil
	case o.Mark == "":
		return errors.New("network namespace has no owner")
	case n != nil:
		return n.kernel.Claim(o.Mark)
	case taken:
		return fmt.Errorf("a network namespace of that name is there and not kvmnet's; remove it (ip netns del %s) or choose another name", o.Name)
	}
	return s.create(o)
}

// current finds the namespace that has a name at this moment, nil when it is not
// ours, and whether one has it.
func (s *routers) current(name string) (n *namespace, taken bool, err error) {
	e, taken := s.dir.Find(name)
	s.forget(name, e.ID)
	if !taken {
		return nil, false, nil
	}
	n, err = s.recognise(e)
	return n, true, err
}

// create makes a namespace that is ours before it has a name. What is left of one
// that had the name before goes first: its NICs would keep their addresses.
func (s *routers) create(o plan.Netns) error {
	for old := range s.gone {
		if old.name == o.Name {
			if err := old.kernel.FreeNICs(); err != nil {
				return err
			}
		}
	}
	var n *namespace
	ns, err := s.dir.Create(o.Name, func(ns *netns.NS) (err error) {
		if n, err = bind(ns, o.Name, s.peers); err == nil {
			err = n.kernel.Claim(o.Mark)
		}
		return err
	})
	if err != nil {
		if n != nil {
			err = errors.Join(err, n.close())
		}
		return err
	}
	n.ns = ns
	s.take(n)
	return nil
}

// del ends a namespace. Its links go first, because somebody's process in there
// would keep them.
func (s *routers) del(n *namespace, o plan.Netns) error {
	owner, err := n.kernel.Owner()
	switch {
	case err != nil:
		return err
	case owner != o.Mark:
		return fmt.Errorf("network namespace belongs to %q, not to %q", owner, o.Mark)
	}
	if err := n.kernel.Clear(); err != nil {
		return err
	}
	if err := s.dir.Delete(n.name); err != nil {
		return err
	}
	s.retire(n, n.kernel.Clear)
	return nil
}
