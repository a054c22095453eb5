package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/netns"
)

// daemon is a kvmnet daemon in a process of its own, with a client to speak to it.
type daemon struct {
	*api.Client
	dir    string // everything it writes is below
	socket string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has ended
	err    error         // why; read it after done
}

// Patience with a daemon: a start takes a few milliseconds, an orderly end as
// long as the requests under way.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

// startDaemon starts a daemon inside a namespace and waits until it answers. One
// that is to stay gets a session of its own; any other ends with us.
func startDaemon(ctx context.Context, ns *netns.NS, exe, dir string, stay bool) (*daemon, error) {
	d := &daemon{dir: dir, socket: socketIn(dir), done: make(chan struct{})}
	d.Client = api.NewClient(d.socket)
	log, err := os.OpenFile(d.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	defer log.Close()
	d.cmd = exec.Command(exe, "daemon", "--config-dir", filepath.Join(dir, "config"), "--state-dir", filepath.Join(dir, "state"),
		"--runtime-dir", filepath.Join(dir, "run"), "--netns-dir", netnsIn(dir), "--socket", d.socket)
	d.cmd.Env, d.cmd.Stdout, d.cmd.Stderr = environment(os.Environ()), log, log
	// Ctrl-C at the terminal is for us: the daemon is still needed to take the
	// networks down.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if stay {
		d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	}
	if err := d.start(ns); err != nil {
		return nil, fmt.Errorf("start the daemon: %w", err)
	}
	if err := d.ready(ctx); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

// netnsIn is where the daemon binds the namespaces of its routers.
func netnsIn(dir string) string { return filepath.Join(dir, "netns") }

func socketIn(dir string) string { return filepath.Join(dir, "kvmnet.sock") }

// environment is ours without what a service manager or a user says to another
// kvmnet daemon.
func environment(all []string) (env []string) {
	for _, v := range all {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID",
			"KVMNET_SOCKET", "KVMNET_CONFIG_DIR", "KVMNET_STATE_DIR", "KVMNET_RUNTIME_DIR", "KVMNET_NETNS_DIR":
		default:
			env = append(env, v)
		}
	}
	return env
}

// start forks and waits on one thread, because the kernel sends the parent's
// death signal when that thread ends, not when the process does.
func (d *daemon) start(ns *netns.NS) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := ns.Do(d.cmd.Start)
		started <- err
		if err == nil {
			d.err = d.cmd.Wait()
			close(d.done)
		}
	}()
	return <-started
}

// ready waits until the daemon answers.
func (d *daemon) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		_, err := d.Status(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-d.done:
			return fmt.Errorf("the daemon ended at once (%v): %s", d.err, d.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("wait for the daemon: %w: %w", context.Cause(ctx), err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (d *daemon) log() string { return filepath.Join(d.dir, "daemon.log") }

// lastWords is the end of what the daemon wrote.
func (d *daemon) lastWords() string {
	text, err := os.ReadFile(d.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}

// stop asks the daemon to end and waits for it; one that does not is killed, and
// that is an error.
func (d *daemon) stop() error {
	d.Client.Close()
	if d.cmd.Process.Signal(syscall.SIGTERM) != nil { // it has ended
		<-d.done
		return nil
	}
	select {
	case <-d.done:
		if d.err != nil {
			return fmt.Errorf("stop the daemon: %w: %s", d.err, d.lastWords())
		}
		return nil
	case <-time.After(stopTimeout):
		d.cmd.Process.Kill()
		<-d.done
		return fmt.Errorf("stop the daemon: it did not end within %s", stopTimeout)
	}
}
