package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"kvmnet/internal/announce"
	"kvmnet/internal/api"
	"kvmnet/internal/dhcpclient"
	"kvmnet/internal/dns"
	"kvmnet/internal/handover"
	"kvmnet/internal/hostnet"
	"kvmnet/internal/kernel"
	"kvmnet/internal/lease"
	"kvmnet/internal/manage"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/resolved"
	"kvmnet/internal/serve"
	"kvmnet/internal/spec"
	"kvmnet/internal/store"
)

// Options tell where the daemon works.
type Options struct {
	ConfigDir, StateDir, RuntimeDir string // required
	Socket                          string // required, unless the service manager passes one
	Version                         string
	NetnsDir                        string       // where the namespaces of routers are bound; "" = netns.Dir
	ResolvConf                      string       // names the host's resolvers; "" = /etc/resolv.conf
	Root                            string       // of the configuration files of the host's network managers; "" = /
	Clean                           bool         // take away what is ours instead of serving
	Log                             *slog.Logger // nil = none

	// Wrap puts something between the loop and the kernel, for tests that stop
	// the daemon in mid-work; nil = nothing.
	Wrap func(reconcile.Host) reconcile.Host
	// BeforeWrite is called before each write of the lease book, for tests that stop
	// the daemon there; nil = nothing.
	BeforeWrite func()
	// BeforeHostOp and BeforeChangeWrite are called before each change of the host's own
	// interfaces, and before each operation on the journal of those; nil = nothing.
	BeforeHostOp, BeforeChangeWrite func()
}

// Run serves until ctx ends. It manages the network namespace it is started in.
func Run(ctx context.Context, o Options) error {
	d := &daemon{Options: o}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.targets = &targets{wake: d.wake, gate: &gate{log: d.Log}}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	defer d.close()
	if d.Clean {
		return d.clean(ctx)
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.serve(ctx)
}

type daemon struct {
	Options
	closers   []func() error
	system    *reconcile.System
	manager   *manage.Manager
	host      *hostnet.Host
	upstreams *dns.Upstreams // the host's resolvers
	store     *store.Store
	engine    *reconcile.Engine
	loop      atomic.Pointer[reconcile.Engine] // engine, once it may be woken
	up        atomic.Bool                      // the loop runs, and verbs are done
	guests    guests
	targets   *targets
	uplinks   *dhcpclient.Clients
	announce  *announce.Announcer
	listener  net.Listener
	handover  *handover.Server
}

// open makes ready to serve.
func (d *daemon) open(ctx context.Context) error {
	if err := d.prepare(ctx, nil); err != nil {
		return err
	}
	if err := d.listen(); err != nil {
		return err
	}
	d.closers = append(d.closers, d.handover.Close)
	// A definition that cannot be read is reported with every pass, and does not
	// keep the others from working.
	if err := d.manager.Boot(); err != nil {
		d.Log.Warn("boot", "error", err)
	}
	return nil
}

// prepare takes the namespace's lock, then opens everything in the order of need.
// What is wanted is told by live; nil = the manager.
func (d *daemon) prepare(ctx context.Context, live func() (*spec.Spec, error)) error {
	ns, err := netns.Current()
	if err != nil {
		return err
	}
	d.closers = append(d.closers, ns.Close)
	lock, err := lock()
	if err != nil {
		return err
	}
	d.closers = append(d.closers, lock.Close)
	if err := d.openHost(ctx, ns); err != nil {
		return err
	}
	facts, err := programs(ctx)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the daemon needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN): %w", err)
	}
	if err != nil {
		return err
	}
	if d.system, err = reconcile.Open(ns, d.NetnsDir); err != nil {
		return err
	}
	d.closers = append(d.closers, d.system.Close)
	st, err := store.Open(store.Dirs{Config: d.ConfigDir, State: d.StateDir, Runtime: d.RuntimeDir})
	if err != nil {
		return err
	}
	d.store = st
	if facts.HostID, err = st.HostID(); err != nil {
		return err
	}
	d.manage(st, ns)
	d.targets.gate.live = d.manager.Live
	if err := d.openServers(ns, facts.HostID); err != nil {
		return err
	}
	if err := d.openUplinks(); err != nil {
		return err
	}
	if live == nil {
		live = d.manager.Live
	}
	d.wire(st, facts, live)
	return nil
}

func (d *daemon) manage(st *store.Store, ns *netns.NS) {
	_, k, _, _ := d.system.Namespace("")
	d.upstreams = dns.NewUpstreams(cmp.Or(d.ResolvConf, "/etc/resolv.conf"))
	d.manager = manage.New(manage.Options{Store: st, NS: ns, Version: d.Version, ConfigDir: d.ConfigDir, Log: d.Log, Armed: armed{d},
		OpenTap: func(t manage.Tap) ([]*os.File, error) { return k.OpenTap(kernel.Tap(t)) },
		Insight: insight{d.system, cmp.Or(d.NetnsDir, netns.Dir), d.upstreams, d.host}})
}

// programs learns what this kernel makes of our rules.
func programs(ctx context.Context) (f plan.Facts, err error) {
	if f.Program, err = nft.Fingerprint(ctx, ""); err == nil {
		f.Routers, err = nft.Fingerprint(ctx, "a router")
	}
	return f, err
}

// openServers opens the lease book and what serves guests by it.
func (d *daemon) openServers(ns *netns.NS, hostID string) error {
	k, err := kernel.Open(ns, "")
	if err != nil {
		return err
	}
	d.closers = append(d.closers, k.Close)
	book, err := lease.Open(filepath.Join(d.StateDir, "leases"), lease.Options{Log: d.Log, Changed: d.leaseChanged, BeforeWrite: d.BeforeWrite})
	if err != nil {
		return err
	}
	d.closers = append(d.closers, book.Close)
	rules, err := nft.Open(ns, "")
	if err != nil {
		return err
	}
	d.closers = append(d.closers, rules.Close)
	d.targets.book, d.targets.gate.rules = book, rules
	register := resolved.Open(resolved.Options{NS: ns, Log: d.Log})
	d.closers = append(d.closers, func() error { register.Close(); return nil })
	servers := serve.New(serve.Options{NS: ns, Kernel: k, Book: book, DUID: duid(hostID), Resolved: register,
		Upstream: d.upstreams, Warn: d.manager.Warn, Log: d.Log, Namespace: d.servedIn,
		Permit: d.targets.permit})
	d.closers = append(d.closers, servers.Close)
	d.guests = guests{book, servers}
	return nil
}

// leaseChanged tells of a lease to those who follow them.
func (d *daemon) leaseChanged(e lease.Event) {
	d.manager.LeaseChanged(e)
	d.targets.changed(e)
}

// openUplinks opens what gets and announces addresses outside.
func (d *daemon) openUplinks() (err error) {
	d.announce = announce.New(announce.Options{Namespace: d.namespace, Log: d.Log})
	d.closers = append(d.closers, func() error { d.announce.Close(); return nil })
	d.uplinks, err = dhcpclient.New(dhcpclient.Options{Dir: filepath.Join(d.StateDir, "uplinks"), Namespace: d.namespace, Changed: d.wake, Log: d.Log})
	if err == nil {
		d.closers = append(d.closers, func() error { d.uplinks.Close(); return nil })
	}
	return err
}

// namespace finds where a router, or "" the daemon, has its sockets.
func (d *daemon) namespace(name string) (*netns.NS, bool) {
	ns, _, _, there := d.system.Namespace(name)
	return ns, there
}

func (d *daemon) servedIn(name string) (*netns.NS, serve.Kernel, bool) {
	ns, k, _, there := d.system.Namespace(name)
	return ns, k, there
}

// wake has the loop look again.
func (d *daemon) wake() {
	if e := d.loop.Load(); e != nil {
		e.Wake()
	}
}

func (d *daemon) wire(st *store.Store, facts plan.Facts, live func() (*spec.Spec, error)) {
	var host reconcile.Host = d.system
	if d.Wrap != nil {
		host = d.Wrap(host)
	}
	d.engine = reconcile.New(reconcile.Options{Host: host, Live: live, Record: st, Facts: facts, Servers: d.guests.servers,
		Guests: d.targets, Uplinks: d.uplinks, Aftermath: aftermath{d.announce, d.system},
		UIDs: d.manager.UIDs, Passed: d.passed, Looked: d.manager.Looked, Step: d.manager.Step, Log: d.Log})
	d.loop.Store(d.engine)
	d.manager.Attach(d.engine, d.guests)
}

// garbage is how much of it may be there, in percent of what is in use: a daemon
// that rests most of the time gives memory rather than a little time.
const garbage = 50

// manyOps is what a pass does that leaves much garbage behind.
const manyOps = 5000

// passed gives the memory of a large pass back soon, when who asked for it has been
// answered. The runtime would keep it for minutes, and the next such pass may be
// days away.
func (d *daemon) passed(r reconcile.Report, asked bool) {
	d.manager.Passed(r, asked)
	if len(r.Ops) > manyOps {
		time.AfterFunc(time.Second, debug.FreeOSMemory)
	}
}

// serve runs the loop and the socket until ctx ends or one of them fails.
func (d *daemon) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looping := make(chan error, 1)
	go func() { looping <- d.engine.Run(ctx); cancel() }()
	d.up.Store(true)
	server := &http.Server{Handler: api.Handler(service{d.manager, d.host}), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(d.listener); cancel() }()
	handing := make(chan error, 1)
	go func() { handing <- d.handover.Serve(ctx); cancel() }()
	if _, err := d.engine.Sync(ctx); err != nil {
		d.Log.Warn("first pass", "error", err)
	}
	sd.SdNotify(false, sd.SdNotifyReady)
	go d.alive(ctx)
	d.Log.Info("ready", "socket", d.listener.Addr().String())
	<-ctx.Done()
	d.up.Store(false)
	sd.SdNotify(false, sd.SdNotifyStopping)
	return errors.Join(d.finish(server, serving, looping), <-handing)
}

// finish lets requests that are under way end, for a while.
func (d *daemon) finish(server *http.Server, serving, looping chan error) error {
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	err := <-serving
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(<-looping, err)
}

func (d *daemon) close() {
	for i := len(d.closers) - 1; i >= 0; i-- {
		if err := d.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			d.Log.Debug("close", "error", err)
		}
	}
}
