// Command kvmnet is both the daemon and the command line; see internal/cli.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"kvmnet/internal/cli"
	"kvmnet/internal/daemon"
	"kvmnet/internal/lab"
)

// version is set by the linker: -ldflags "-X main.version=1.2.3".
var version = "dev"

// The main thread must stay in the network namespace the program was started
// in, because /proc/<pid>/ns/net shows the main thread's. Package netns enters
// other namespaces on threads that goroutines take for themselves and that end
// with them; locked to main, the main thread is never one of those.
func init() { runtime.LockOSThread() }

func main() {
	if code, done := cli.Direct(context.Background(), os.Args, cli.Options{}); done {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], cli.Options{Version: version, Daemon: serve, Demo: demo, Recover: recoverHost,
		Told: func(err error) bool { return errors.Is(err, lab.ErrReported) }})
	stop()
	os.Exit(code)
}

// serve is `kvmnet daemon`. It logs to standard error, where systemd and people
// look.
func serve(ctx context.Context, o cli.DaemonOptions) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: o.LogLevel}))
	return daemon.Run(ctx, daemon.Options{ConfigDir: o.ConfigDir, StateDir: o.StateDir, RuntimeDir: o.RuntimeDir, NetnsDir: o.NetnsDir,
		Socket: o.Socket, Version: o.Version, Clean: o.Clean, Log: log})
}

// demo is `kvmnet demo`.
func demo(ctx context.Context, o cli.DemoOptions) error {
	if o.Remove {
		return lab.Remove(o.Stdout)
	}
	return lab.Run(ctx, lab.Options{Guests: o.Guests, Keep: o.Keep, File: o.Topology, Out: o.Stdout, Terminal: o.Terminal})
}
