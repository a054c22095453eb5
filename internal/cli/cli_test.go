package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
)

var update = flag.Bool("update", false, "write what commands print into the scripts")

// TestMain is also the command kvmnet of the scripts.
func TestMain(m *testing.M) {
	vhostNet = "/nowhere" // so that no host differs
	testscript.Main(m, map[string]func(){"kvmnet": func() {
		if code, done := Direct(context.Background(), os.Args, Options{}); done {
			os.Exit(code)
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		code := Run(ctx, os.Args[1:], Options{Version: "1.2.3", Daemon: tellDaemon, Demo: tellDemo})
		stop()
		os.Exit(code)
	}, "qemu-system-x86_64": tellVM, "cloud-hypervisor": tellVM, "crosvm": tellVM, "firecracker": tellVM, "my-vmm": tellVM})
}

// tellDaemon and tellDemo print with which options they were called.
func tellDaemon(_ context.Context, o DaemonOptions) error {
	fmt.Println(o.ConfigDir, o.StateDir, o.RuntimeDir, o.Socket, o.LogLevel, o.Version)
	return nil
}

func tellDemo(_ context.Context, o DemoOptions) error {
	fmt.Fprintln(o.Stdout, o.Guests, o.Keep, o.Version)
	if o.Topology != nil {
		fmt.Fprintf(o.Stdout, "%s: %s", o.Topology.Name, o.Topology.Text)
	}
	return nil
}

// TestScripts runs testdata/*.txtar, each against a daemon of its own behind a
// real socket.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update,
		Condition: func(cond string) (bool, error) {
			if cond != "root" {
				return false, fmt.Errorf("there is no condition %s", cond)
			}
			return os.Getuid() == 0, nil
		},
		Setup: func(env *testscript.Env) error {
			f := newFake()
			socket, err := serve(env.Defer, f)
			if err != nil {
				return err
			}
			id := ""
			if err := serveGuests(env.Defer, f, socket); err != nil {
				return err
			}
			f.namespace, id, err = namespace(env.Defer)
			env.Setenv("NAMESPACE", id)
			env.Values["fake"] = f
			env.Setenv("KVMNET_SOCKET", socket)
			env.Setenv("TZ", "UTC")
			env.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector's processes take 1 s to end otherwise
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "seen": seen, "pipe": pipe},
	})
}

// namespace makes a network namespace that is there until after, and returns its
// path and how the kernel names it.
func namespace(after func(func())) (path, id string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and ends with the goroutine
		var f *os.File
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		if f, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return
		}
		after(func() { f.Close() })
		path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())
		id, err = os.Readlink(path)
	}()
	<-done
	return path, id, err
}

// serve runs a daemon at a socket of its own.
func serve(after func(func()), f *fake) (socket string, err error) {
	dir, err := os.MkdirTemp("", "kvmnet-cli")
	if err != nil {
		return "", err
	}
	after(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	l, err := api.Listen(socket)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	one := api.Handler(f)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/events" {
			f.serial.Lock()
			defer f.serial.Unlock()
		}
		one.ServeHTTP(w, r)
	})
	srv := &http.Server{Handler: handler, BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	after(func() {
		cancel()
		srv.Shutdown(context.Background())
		<-done
	})
	return socket, nil
}

// exits CODE ARGUMENTS... runs kvmnet and wants that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	var failed *exec.ExitError
	if err := ts.Exec("kvmnet", args[1:]...); errors.As(err, &failed) {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("kvmnet %s: exit code %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// seen TEXT checks that the daemon was called so; with ! that no call has the
// text.
func seen(ts *testscript.TestScript, not bool, args []string) {
	f := ts.Value("fake").(*fake)
	f.serial.Lock()
	defer f.serial.Unlock()
	calls := f.seen
	found := slices.ContainsFunc(calls, func(c string) bool { return strings.Contains(c, args[0]) })
	if found == not {
		ts.Fatalf("the daemon saw:\n%s", strings.Join(calls, "\n"))
	}
}

// pipe PROGRAM checks the last standard output with a program of the test.
func pipe(ts *testscript.TestScript, _ bool, args []string) {
	out := ts.ReadFile("stdout")
	check := map[string]func(string) error{"json": isJSON, "yaml": isYAML}[args[0]]
	ts.Check(check(out))
}
