package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"kvmnet/internal/api"
)

// takeDown removes everything in the order in which a user would, and checks that
// the machine is as it was.
func (d *demo) takeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var errs []error
	d.endVMs()
	if d.daemon != nil {
		d.step("delete the networks")
		err := d.deleteAll(ctx)
		if err == nil {
			err = d.asBefore(ctx)
		}
		errs = append(errs, err, d.daemon.stop())
	}
	errs = append(errs, d.world.close(), d.removeDir())
	err := errors.Join(errs...)
	if err == nil {
		d.step("stopped the daemon, removed the namespaces")
	}
	return err
}

// deleteAll deletes every object through the API.
func (d *demo) deleteAll(ctx context.Context) error {
	ports, err := d.daemon.Ports(ctx)
	if err != nil {
		return fmt.Errorf("delete the networks: %w", err)
	}
	var errs []error
	for _, p := range ports {
		if p.Status.State != "adopted" {
			errs = append(errs, d.daemon.DeletePort(ctx, p.Name))
		}
	}
	networks, err := d.daemon.Networks(ctx)
	errs = append(errs, err)
	for _, n := range networks {
		if n.Status.State == api.Running {
			errs = append(errs, d.daemon.Stop(ctx, n.Name))
		}
		if n.Status.Persistent {
			errs = append(errs, d.daemon.Undefine(ctx, n.Name))
		}
	}
	bridges, err := d.daemon.Bridges(ctx)
	errs = append(errs, err)
	for _, b := range bridges {
		errs = append(errs, d.daemon.DeleteBridge(ctx, b.Name))
	}
	return errors.Join(errs...)
}

// asBefore checks that nothing of kvmnet is left on the machine.
func (d *demo) asBefore(ctx context.Context) error {
	after, err := snapshot(ctx, d.world.machine)
	if err != nil {
		return err
	}
	if diff := changed(d.before, after); len(diff) > 0 {
		return fmt.Errorf("the machine is not as before:\n  %s", strings.Join(diff, "\n  "))
	}
	d.step("machine as before: links, addresses, routes, rules, %d settings", len(after))
	return nil
}

func (d *demo) removeDir() error {
	if d.dir == "" {
		return nil
	}
	return os.RemoveAll(d.dir)
}
