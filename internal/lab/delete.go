package lab

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"kvmnet/internal/api"
)

// deleteAll deletes every object through the API, those that need others first.
func (d *demo) deleteAll(ctx context.Context) error {
	var errs []error
	for _, k := range []struct {
		kind string
		list func(context.Context) ([]string, error)
	}{
		{"forward", namesOf(d.daemon.Forwards, func(o api.Forward) string { return o.Name })},
		{"policy", namesOf(d.daemon.Policies, func(o api.Policy) string { return o.Name })},
		{"set", namesOf(d.daemon.Sets, func(o api.Set) string { return o.Name })},
		{"router", namesOf(d.daemon.Routers, func(o api.Router) string { return o.Name })},
		{"port", namesOf(d.daemon.Ports, added)},
	} {
		errs = append(errs, d.deleteKind(ctx, k.kind, k.list))
	}
	errs = append(errs, d.deleteNetworks(ctx), d.deleteKind(ctx, "bridge", namesOf(d.daemon.Bridges, func(o api.HostBridge) string { return o.Name })))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("delete the networks: %w", err)
	}
	return nil
}

func (d *demo) deleteKind(ctx context.Context, kind string, list func(context.Context) ([]string, error)) error {
	names, err := list(ctx)
	if err != nil {
		return err
	}
	return together(names, func(name string) error { return d.daemon.Delete(ctx, kind, name) })
}

// together does something to all objects at a time: the daemon takes what comes
// during one pass into the next.
func together[T any](list []T, do func(T) error) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, o := range list {
		wg.Go(func() { errs[i] = do(o) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (d *demo) deleteNetworks(ctx context.Context) error {
	networks, err := d.daemon.Networks(ctx)
	if err != nil {
		return err
	}
	var peers, others []api.Network // those who name others as peers go first
	for _, n := range networks {
		if len(n.Spec.Peers) > 0 {
			peers = append(peers, n)
		} else {
			others = append(others, n)
		}
	}
	end := func(n api.Network) error { return d.deleteNetwork(ctx, n) }
	return errors.Join(together(peers, end), together(others, end))
}

func (d *demo) deleteNetwork(ctx context.Context, n api.Network) (err error) {
	if n.Status.State == api.Running {
		err = d.daemon.Stop(ctx, n.Name)
	}
	if n.Status.Persistent {
		err = errors.Join(err, d.daemon.Undefine(ctx, n.Name))
	}
	return err
}

// namesOf lists the objects of a kind by name.
func namesOf[T any](list func(context.Context) ([]T, error), name func(T) string) func(context.Context) ([]string, error) {
	return func(ctx context.Context) (names []string, err error) {
		objects, err := list(ctx)
		for _, o := range objects {
			if n := name(o); n != "" {
				names = append(names, n)
			}
		}
		return names, err
	}
}

// added names a port that was added; one that the daemon found is not its own.
func added(p api.Port) string {
	if p.Status.State == "adopted" {
		return ""
	}
	return p.Name
}
