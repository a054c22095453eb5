package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
)

// demo is one run.
type demo struct {
	Options
	topology *topology
	*layout
	world  *world
	daemon *daemon
	before []string // the machine before the daemon came
	dir    string   // private, removed at the end
	began  time.Time
	out    sync.Mutex // of Out

	assets *qemuguest.Assets
	boots  chan struct{} // a place for each virtual machine that boots
	mu     sync.Mutex
	vms    []*qemuguest.Guest
}

func newDemo(o Options, t *topology) *demo {
	d := &demo{Options: o, topology: t, layout: &layout{spec: t.spec}, world: &world{}, began: time.Now(), boots: make(chan struct{}, booting)}
	if o.Keep {
		d.world.prefix = namePrefix
	}
	return d
}

// run is the whole show. What ends it early still takes everything down.
func (d *demo) run(ctx context.Context) error {
	d.say("A machine with kvmnet, its LAN and the outside, in private namespaces; this host's network is not touched.")
	cells, err := d.show(ctx)
	if cause := context.Cause(ctx); cause != nil { // whatever failed, failed of this
		err = fmt.Errorf("the demo was ended: %w", cause)
	}
	if err == nil {
		err = d.report(cells)
	}
	if broken := errors.As(err, new(*Broken)); d.Keep && (err == nil || broken) {
		err = errors.Join(err, d.leave())
		if err == nil {
			d.kept(len(cells))
		}
		return err
	}
	if err := errors.Join(err, d.takeDown(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	d.kept(len(cells))
	return nil
}

// show brings everything up and proves it.
func (d *demo) show(ctx context.Context) ([]*cell, error) {
	if err := d.up(ctx); err != nil {
		return nil, err
	}
	if err := d.route(); err != nil {
		return nil, err
	}
	d.step("plug two guests into each network")
	if err := d.plugAll(ctx); err != nil {
		return nil, err
	}
	return d.proveAll(ctx)
}

// up makes the world, the daemon and the networks.
func (d *demo) up(ctx context.Context) (err error) {
	if err := d.prepareVMs(ctx); err != nil {
		return err
	}
	if d.dir, err = d.makeDir(); err != nil {
		return err
	}
	d.step("build the machine, the LAN and the outside")
	if err := d.world.build(ctx, d.topology); err != nil {
		return err
	}
	if d.before, err = snapshot(ctx, d.world.machine); err != nil {
		return err
	}
	d.step("start the daemon on the machine")
	if d.daemon, err = startDaemon(ctx, d.world.machine.NS(), d.Exe, d.dir, d.Keep); err != nil {
		return err
	}
	d.step("apply %s", d.topology.file.Name)
	if err := d.apply(ctx, d.topology.file); err != nil {
		return err
	}
	if err := d.learn(ctx); err != nil {
		return err
	}
	return d.world.answer(ctx, d.ports())
}

// apply makes the daemon put a file in force.
func (d *demo) apply(ctx context.Context, f api.File) error {
	r, err := d.daemon.Apply(ctx, api.ApplyRequest{Files: []api.File{f}})
	if err != nil {
		return fmt.Errorf("apply %s: %w", f.Name, err)
	}
	var errs []error
	for _, object := range slices.Sorted(maps.Keys(r.Problems)) {
		errs = append(errs, fmt.Errorf("apply %s: %s: %s", f.Name, object, r.Problems[object]))
	}
	return errors.Join(errs...)
}

// learn reads back what the daemon made of the file and starts what does not start
// by itself.
func (d *demo) learn(ctx context.Context) error {
	list, err := d.daemon.Networks(ctx)
	if err != nil {
		return err
	}
	for i, n := range list {
		if n.Status.State == api.Inactive {
			if err := d.daemon.Start(ctx, n.Name); err != nil {
				return err
			}
		}
		if err := d.settle(n.Name, n.Spec, i); err != nil {
			return err
		}
	}
	slices.SortStableFunc(d.networks, byMode)
	return nil
}

// route gives the outside routes to the networks whose guests keep their
// addresses, and to the routers that keep theirs behind the machine.
func (d *demo) route() error {
	var errs []error
	for _, r := range d.spec.Routers {
		for _, u := range r.Ways() {
			for _, p := range address(u).list() {
				if u.Host == spec.HostRoute {
					errs = append(errs, d.world.outside.AddRoute(p.Masked(), machineAddr.addr(familyOf(p.Addr()))))
				}
			}
		}
	}
	for _, n := range d.networks {
		for _, s := range n.subnets() {
			if f := familyOf(s.Address.Addr()); d.routed(n, f) {
				errs = append(errs, d.world.outside.AddRoute(s.Address.Masked(), d.next(n, f)))
			}
		}
	}
	return errors.Join(errs...)
}

// proveAll proves everything, a phase after the other: what one phase changes
// must not be seen by the one before.
func (d *demo) proveAll(ctx context.Context) ([]*cell, error) {
	cells := d.reach()
	d.step("ask who reaches whom: %d promises", len(cells))
	if err := prove(ctx, cells); err != nil {
		return nil, err
	}
	served := d.served()
	d.step("ask for addresses, routers and names: %d promises", len(served))
	if err := prove(ctx, served); err != nil {
		return nil, err
	}
	attacks := d.attacks()
	d.step("cheat: false sources, foreign gateways, forced routes: %d promises", len(attacks))
	d.forget()
	if err := d.prepareAttacks(); err != nil {
		return nil, err
	}
	if err := prove(ctx, attacks); err != nil {
		return nil, err
	}
	d.forget()
	decided, err := d.decided(ctx)
	return slices.Concat(cells, served, attacks, decided), err
}

// forget empties what the hosts remember of the questions so far.
func (d *demo) forget() {
	for _, e := range d.world.echoes {
		e.Forget()
	}
}

// makeDir makes the directory of the daemon.
func (d *demo) makeDir() (string, error) {
	if d.Keep {
		return makeKeepDir()
	}
	// What sockaddr_un holds (unix(7)), less room for the random number.
	const longest = 107 - 10
	parent := os.TempDir()
	if len(socketIn(filepath.Join(parent, "kvmnet-demo-"))) > longest {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "kvmnet-demo-")
	if err != nil {
		return "", fmt.Errorf("make a private directory: %w", err)
	}
	return dir, nil
}
