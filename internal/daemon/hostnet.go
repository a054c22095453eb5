package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
	"kvmnet/internal/hostnet"
	"kvmnet/internal/manage"
	"kvmnet/internal/netns"
	"kvmnet/internal/resolved"
	"kvmnet/internal/spec"
)

// service is all that the daemon can do.
type service struct {
	*manage.Manager
	*hostnet.Host
}

var _ api.Service = service{}

// openHost ends what an interrupted daemon left of a change of the host's network,
// before anything else looks at that. What cannot be reverted at once is tried again
// while the daemon works.
func (d *daemon) openHost(ctx context.Context, ns *netns.NS) error {
	leases, err := d.openHostLeases(ns)
	if err != nil {
		return err
	}
	resolvers := resolved.Resolvers{Options: resolved.Options{NS: ns}}
	d.host, err = hostnet.Open(hostnet.Options{NS: ns, Root: d.Root, OwnDir: d.ownDir(), StateDir: d.StateDir, Log: d.Log, Claims: d.claims, Kinds: map[string]confirm.Kind{applyKind: armed{d}}, Borrowed: d.borrowed, Resolvers: resolvers, Leases: leases, LeaseDNS: leaseDNS(resolvers), Moved: d.wake,
		BeforeOp: d.BeforeHostOp, BeforeWrite: d.BeforeChangeWrite})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, d.closeHost)
	if _, err := d.host.Recover(ctx); err != nil {
		d.Log.Error("recover changes of the host's network", "error", err)
	}
	if err := d.host.StartOwn(ctx); err != nil {
		d.Log.Warn("start interfaces of the host", "error", err)
	}
	if !d.Clean { // leases are the host's, like its interfaces
		d.host.KeepLeases()
	}
	return nil
}

// ownDir is where definitions of the host's interfaces are that are kvmnet's own: with
// the others, but for tests that have a tree of their own.
func (d *daemon) ownDir() string {
	if d.Root != "" {
		return ""
	}
	return filepath.Join(d.ConfigDir, "interfaces")
}

// closeHost reverts what nobody has confirmed: its deadline is the daemon's to watch.
func (d *daemon) closeHost() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return d.host.Close(ctx)
}

// borrowed are settings of the host that the loop has changed. Before the store is open
// it has changed none.
func (d *daemon) borrowed() (map[string]string, error) {
	if d.store == nil {
		return nil, nil
	}
	return d.store.Borrowed()
}

// claims tells what definitions of ours say of an interface of the host that is to be
// moved, or of the name of a bridge that is to be made.
func (d *daemon) claims(name string) (refusals, notes []string) {
	live, err := d.manager.Live()
	if live == nil {
		return []string{fmt.Sprintf("what uses %s is not known: %v", name, err)}, nil
	}
	for b, hb := range live.Bridges {
		switch {
		case b == name:
			refusals = append(refusals, fmt.Sprintf("bridge/%s is defined: 'kvmnet delete bridge %[1]s' first, or take another name", b))
		case slices.Contains(hb.Ports, name):
			refusals = append(refusals, fmt.Sprintf("%s is a port of bridge/%s by its definition: take it out there first", name, b))
		}
	}
	for n, network := range live.Networks {
		switch {
		case network.Mode != spec.Bridge && network.Bridge.Name == name:
			refusals = append(refusals, fmt.Sprintf("%s is the bridge of network/%s: take another name", name, n))
		case network.Uplink == name:
			notes = append(notes, fmt.Sprintf("network/%s leaves by %s: write its new name there, or no uplink", n, name))
		}
	}
	slices.Sort(refusals)
	slices.Sort(notes)
	return refusals, notes
}
