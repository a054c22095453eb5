package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// downTimeout bounds taking down. Where much else is going on, links wait for the
// kernel's one lock of them.
const downTimeout = 2 * time.Minute

// takeDown removes everything in the order in which a user would, and checks that
// the machine is as it was.
func (d *demo) takeDown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, downTimeout)
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

// asBefore checks that nothing of kvmnet is left on the machine.
func (d *demo) asBefore(ctx context.Context) error {
	after, err := snapshot(ctx, d.world.machine)
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(netnsIn(d.dir), "*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		after = append(after, "namespace "+filepath.Base(path))
	}
	if diff := changed(d.before, after); len(diff) > 0 {
		return fmt.Errorf("the machine is not as before:\n  %s", strings.Join(diff, "\n  "))
	}
	d.step("machine as before: links, addresses, routes, rules, %d settings", len(after))
	return nil
}

// removeDir removes the private directory.
func (d *demo) removeDir() error {
	if d.dir == "" {
		return nil
	}
	return removeDir(d.dir)
}

// removeDir removes the directory of a daemon. The namespaces of its routers are
// bound there: a daemon that was killed leaves them, and the kernel ends them with
// their names.
func removeDir(dir string) error {
	bound, err := filepath.Glob(filepath.Join(netnsIn(dir), "*"))
	for _, path := range append(bound, netnsIn(dir)) {
		// One that is not bound is removed with the rest.
		for unix.Unmount(path, unix.MNT_DETACH) == nil {
		}
	}
	return errors.Join(err, os.RemoveAll(dir))
}
