package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"kvmnet/internal/testhost"
)

// program says what to run on a host.
type program struct {
	argv []string
	env  []string
	// prepare is shell text that runs before, in the program's mount namespace.
	prepare []string
	// alone gives the program a process namespace, of which it is the first
	// process: what it forks ends with it.
	alone bool
}

// process is a program that runs.
type process struct {
	cmd  *exec.Cmd
	log  string        // file of its output
	done chan struct{} // closed when it has ended
	err  error         // how, valid when done is closed

	once sync.Once
}

// bind is shell text that puts a directory or file of ours in the place of one
// that a program has fixed.
func bind(ours, place string) string { return fmt.Sprintf("mount --bind '%s' '%s'", ours, place) }

// start runs a program on a host. It ends with stop, with the test, or with the
// test's process in whatever way that ends.
func start(t testing.TB, h *testhost.Host, logFile string, p program) (*process, error) {
	log, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	script := strings.Join(append([]string{"set -e"}, append(p.prepare, `exec "$@"`)...), "\n")
	cmd := exec.Command("sh", append([]string{"-c", script, "sh"}, p.argv...)...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, p.env...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(logFile), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Unshareflags: syscall.CLONE_NEWNS}
	if p.alone {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	}
	pr := &process{cmd: cmd, log: logFile, done: make(chan struct{})}
	started := make(chan error)
	go pr.supervise(h, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", p.argv[0], h.Name(), err)
	}
	t.Cleanup(func() { pr.stop() })
	return pr, nil
}

// supervise starts the program and waits for its end on one thread: the kernel
// kills the program when the thread that started it ends.
func (p *process) supervise(h *testhost.Host, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := h.NS().Do(p.cmd.Start)
	started <- err
	if err == nil {
		p.err = p.cmd.Wait()
		close(p.done)
	}
}

// signal sends a signal to the program itself.
func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w%s", p.cmd.Args[3], err, p.said())
	}
	return nil
}

// stop kills the program and waits for its end.
func (p *process) stop() {
	p.once.Do(func() {
		p.cmd.Process.Kill() // an error only says that it has ended
		<-p.done
	})
}

// ended waits for the program to end by itself.
func (p *process) ended(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w%s", p.cmd.Args[3], ctx.Err(), p.said())
	}
}

// said is the end of what the program printed, for errors.
func (p *process) said() string {
	text, _ := os.ReadFile(p.log)
	text = bytes.TrimSpace(text)
	if most := 9000; len(text) > most {
		text = text[len(text)-most:]
	}
	return "; it said:\n" + string(text)
}

// run runs a program on a host to its end and returns its output.
func run(ctx context.Context, h *testhost.Host, argv ...string) (string, error) {
	out, err := h.Command(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("run %q on %s: %w: %s", argv, h.Name(), err, bytes.TrimSpace(out))
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
		}
	}
	return string(out), err
}
