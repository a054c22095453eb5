package qemuguest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Config says what to start.
type Config struct {
	Assets    *Assets        // required
	Name      string         // the guest's host name, and its name in errors; letters, digits and dashes
	NS        *netns.NS      // where the tap is; nil is the namespace of the process
	Tap       string         // name of a persistent tap that nobody else has open; required unless Way says more
	MAC       spec.MAC       // zero is derived from Name
	Addresses []netip.Prefix // of eth0
	Gateways  []netip.Addr   // default gateways, one a family
	DHCP      bool           // run udhcpc; it goes on in the background if nobody answers at first
	Memory    int            // MB; 0 means 192
	Way       *Way           // how it is started and gets its NIC; nil = by Tap
	Kernel    []string       // more words for the kernel's command line
	Firmware  *Firmware      // boots from the network instead of Assets.Kernel; nil = no firmware is asked
}

// DefaultMemory is what a guest gets, in MB; the kernel and busybox fill half.
const DefaultMemory = 192

// StartTimeout bounds a boot whose context has no earlier deadline; one from the
// network may take twice as long. A quiet machine needs about three seconds, from
// the network 6 (BIOS) to 25 (UEFI that tries all ways).
const StartTimeout = 90 * time.Second

// Guest is a running virtual machine.
type Guest struct {
	name    string
	cmd     *exec.Cmd
	agent   *agent
	console *tail
	stderr  *tail
	ended   chan struct{} // closed when QEMU has ended
	err     error         // how, valid when ended is closed
	boot    time.Duration

	closing sync.Once
}

// Start boots a guest and returns when it takes commands, its addresses
// configured. The guest lives until Close, and never longer than the process. One
// with Firmware gets there when the network gives it the kernel and the initramfs
// of the assets with the words of CommandLine.
func Start(ctx context.Context, c Config) (*Guest, error) {
	limit := StartTimeout
	if c.Firmware != nil {
		limit *= 2
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	g := &Guest{name: c.Name, console: newTail(), stderr: newTail(), ended: make(chan struct{})}
	began := time.Now()
	if err := g.launch(c); err != nil {
		return nil, fmt.Errorf("start guest %s: %w", c.Name, err)
	}
	select {
	case <-g.agent.ready:
		g.boot = time.Since(began)
		return g, nil
	case <-g.ended:
		return nil, fmt.Errorf("start guest %s: %w", c.Name, errors.Join(g.end(), g.Close()))
	case <-ctx.Done():
		return nil, fmt.Errorf("start guest %s: %w%s", c.Name, errors.Join(ctx.Err(), g.Close()), g.last())
	}
}

// check finds what would otherwise be a riddle in QEMU's or the kernel's words.
func (c Config) check() error {
	switch {
	case c.Assets == nil:
		return errors.New("no assets")
	case c.Way == nil && c.Tap == "" || strings.ContainsAny(c.Tap, ", \t\n"):
		return fmt.Errorf("tap name %q is empty or has a comma or space", c.Tap)
	case c.Name == "" || strings.ContainsAny(c.Name, ", \"\t\n"):
		return fmt.Errorf("name %q is empty or has a comma, quote or space", c.Name)
	}
	return nil
}

func (g *Guest) launch(c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	g.cmd = c.Way.command(append([]string{c.Assets.QEMU}, arguments(c)...))
	stdin, err := g.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	console, closeConsole, err := follow(g.console)
	if err != nil {
		return err
	}
	defer closeConsole()
	stderr, closeStderr, err := follow(g.stderr)
	if err != nil {
		return err
	}
	defer closeStderr()
	g.cmd.Stderr, g.cmd.ExtraFiles = stderr, append([]*os.File{console}, c.Way.files()...)
	started := make(chan error)
	go g.supervise(c.NS, started)
	if err := <-started; err != nil {
		return err
	}
	g.agent = newAgent(stdin, stdout)
	return nil
}

// follow makes a pipe whose end is kept in t; QEMU gets the other end, and ours
// is closed.
func follow(t *tail) (w *os.File, done func() error, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	go t.follow(r)
	return w, w.Close, nil
}

// supervise starts QEMU and waits for its end on one and the same thread: the
// kernel kills QEMU when the thread that started it ends, as it does when the
// process dies in whatever way.
func (g *Guest) supervise(ns *netns.NS, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	g.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	start := g.cmd.Start
	if ns != nil {
		start = func() error { return ns.Do(g.cmd.Start) }
	}
	err := start()
	started <- err
	if err != nil {
		return
	}
	// Process.Wait and not Cmd.Wait: that one would close the pipe before the
	// agent has read it.
	state, err := g.cmd.Process.Wait()
	if err == nil && !state.Success() {
		err = errors.New(state.String())
	}
	g.err = err
	close(g.ended)
}

// Run has the guest's shell execute a command and returns its output, errors
// included, and its exit code. A command still running at the deadline of the
// context, or after a minute, is killed and has exit code 137. A guest that does not
// answer is an error with the last words of its console.
func (g *Guest) Run(ctx context.Context, command string) (output string, exit int, err error) {
	out, exit, err := g.agent.run(ctx, command, g.ended)
	switch {
	case errors.Is(err, errEnded):
		err = g.end()
	case errors.Is(err, errSilent):
		err = fmt.Errorf("%w%s", err, g.last())
	}
	if err != nil {
		err = fmt.Errorf("run %.200q in guest %s: %w", command, g.name, err)
	}
	return string(out), exit, err
}

// end says how QEMU ended.
func (g *Guest) end() error {
	<-g.ended
	<-g.stderr.done
	<-g.console.done
	if g.err != nil {
		return fmt.Errorf("the guest has ended: %w%s", g.err, g.last())
	}
	return fmt.Errorf("the guest has ended%s", g.last())
}

// last is what QEMU and the guest's kernel said last, for errors.
func (g *Guest) last() string {
	s := ""
	if text := g.stderr.String(); text != "" {
		s += ": qemu: " + text
	}
	if text := g.console.String(); text != "" {
		s += ": console: " + text
	}
	return s
}

// Name is the guest's name.
func (g *Guest) Name() string { return g.name }

// PID is the process id of QEMU, or of what it was started by; 0 = somebody else's.
func (g *Guest) PID() int {
	if g.cmd == nil {
		return 0
	}
	return g.cmd.Process.Pid
}

// Boot is the time from the start of QEMU to the first command.
func (g *Guest) Boot() time.Duration { return g.boot }

// Console is what the guest wrote to its console, the last 16 kB of it.
func (g *Guest) Console() string { return g.console.String() }

// Close kills the guest and waits for its end; with one of somebody else's it only
// hangs up. Closing twice is harmless.
func (g *Guest) Close() error {
	g.closing.Do(func() {
		if g.cmd != nil {
			g.cmd.Process.Kill() // an error only says that it has ended
			<-g.ended
		}
		g.agent.close()
	})
	return nil
}
