package lab

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"kvmnet/internal/api"
	kvmnetd "kvmnet/internal/daemon"
	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
)

// TestMain lets the test binary play the kvmnet program: started with "daemon" or
// "demo" it is that command, as a process of its own.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "daemon":
			os.Exit(command(runDaemon))
		case "demo":
			os.Exit(command(runDemo))
		}
	}
	nstest.Main(m, func() { qemuguest.Prepare(context.Background(), nil) }) // an error shows again when a test asks
}

func command(run func(ctx context.Context, args []string) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runDaemon(ctx context.Context, args []string) error {
	var o kvmnetd.Options
	f := flag.NewFlagSet("daemon", flag.ContinueOnError)
	f.StringVar(&o.ConfigDir, "config-dir", "", "")
	f.StringVar(&o.StateDir, "state-dir", "", "")
	f.StringVar(&o.RuntimeDir, "runtime-dir", "", "")
	f.StringVar(&o.NetnsDir, "netns-dir", "", "")
	f.StringVar(&o.Socket, "socket", "", "")
	if err := f.Parse(args); err != nil {
		return err
	}
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	return kvmnetd.Run(ctx, o)
}

func runDemo(ctx context.Context, args []string) error {
	o := Options{Out: os.Stdout}
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.StringVar(&o.Guests, "guests", "", "")
	f.StringVar(&o.Topology, "topology", "", "")
	f.BoolVar(&o.Keep, "keep", false, "")
	f.BoolVar(&o.Terminal, "terminal", false, "")
	remove := f.Bool("remove", false, "")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.Topology == "-" {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return err
		}
		o.File = &api.File{Name: "standard input", Text: string(text)}
	}
	if *remove {
		return Remove(o.Out)
	}
	return Run(ctx, o)
}
