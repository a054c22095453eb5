package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	sd "github.com/coreos/go-systemd/v22/daemon"

	"kvmnet/internal/api"
	"kvmnet/internal/manage"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/store"
)

// Options tell where the daemon works.
type Options struct {
	ConfigDir, StateDir, RuntimeDir string // required
	Socket                          string // required, unless the service manager passes one
	Version                         string
	Log                             *slog.Logger // nil = none

	// Wrap puts something between the loop and the kernel, for tests that stop
	// the daemon in mid-work; nil = nothing.
	Wrap func(reconcile.Host) reconcile.Host
}

// Run serves until ctx ends. It manages the network namespace it is started in.
func Run(ctx context.Context, o Options) error {
	d := daemon{Options: o}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return err
	}
	return d.serve(ctx)
}

type daemon struct {
	Options
	closers  []func() error
	manager  *manage.Manager
	engine   *reconcile.Engine
	listener net.Listener
}

// open takes the namespace's lock, then opens everything in the order of need.
func (d *daemon) open(ctx context.Context) error {
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
	fingerprint, err := nft.Fingerprint(ctx)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("the daemon needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN): %w", err)
	}
	if err != nil {
		return err
	}
	system, err := reconcile.Open(ns)
	if err != nil {
		return err
	}
	d.closers = append(d.closers, system.Close)
	st, err := store.Open(store.Dirs{Config: d.ConfigDir, State: d.StateDir, Runtime: d.RuntimeDir})
	if err != nil {
		return err
	}
	hostID, err := st.HostID()
	if err != nil {
		return err
	}
	d.wire(st, ns, system, plan.Facts{HostID: hostID, Program: fingerprint})
	if d.listener, err = d.listen(); err != nil {
		return err
	}
	// A definition that cannot be read is reported with every pass, and does not
	// keep the others from working.
	if err := d.manager.Boot(); err != nil {
		d.Log.Warn("boot", "error", err)
	}
	return nil
}

func (d *daemon) wire(st *store.Store, ns *netns.NS, host reconcile.Host, facts plan.Facts) {
	if d.Wrap != nil {
		host = d.Wrap(host)
	}
	d.manager = manage.New(manage.Options{Store: st, NS: ns, Version: d.Version, ConfigDir: d.ConfigDir})
	d.engine = reconcile.New(reconcile.Options{Host: host, Live: d.manager.Live, Record: st, Facts: facts,
		UIDs: d.manager.UIDs, Passed: d.manager.Passed, Step: d.manager.Step, Log: d.Log})
	d.manager.Attach(d.engine)
}

// listen uses the socket the service manager passes, or makes its own.
func (d *daemon) listen() (net.Listener, error) {
	passed, err := activation.Listeners()
	if err == nil && len(passed) > 0 {
		return passed[0], nil
	}
	return api.Listen(d.Socket)
}

// serve runs the loop and the socket until ctx ends or one of them fails.
func (d *daemon) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looping := make(chan error, 1)
	go func() { looping <- d.engine.Run(ctx); cancel() }()
	server := &http.Server{Handler: api.Handler(d.manager), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second}
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(d.listener); cancel() }()
	if _, err := d.engine.Sync(ctx); err != nil {
		d.Log.Warn("first pass", "error", err)
	}
	sd.SdNotify(false, sd.SdNotifyReady)
	d.Log.Info("ready", "socket", d.listener.Addr().String())
	<-ctx.Done()
	sd.SdNotify(false, sd.SdNotifyStopping)
	return d.finish(server, serving, looping)
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
