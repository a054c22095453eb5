package daemontest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemon"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
)

// The test binary is also the daemon: started again with this variable set, it
// serves in the directories the variable names. So a test can kill a real
// process, at a chosen op.
const roleVar = "KVMNET_TEST_DAEMON"

// Role tells the child what to be.
type Role struct {
	Dir    string
	KillAt int // SIGKILL itself before this op, counted from 1; 0 = never

	KillAtWrite int // SIGKILL itself before this write of the lease book, counted from 1; 0 = never

	KillAtHostOp      int // the same, before this change of the host's own interfaces
	KillAtChangeWrite int // and before this operation on the journal of those

	Clean bool // take everything away and end
}

// Main runs the tests of a package whose machines run a daemon; before is done
// first, as for nstest.Main.
func Main(m *testing.M, before ...func()) {
	if text := os.Getenv(roleVar); text != "" {
		os.Exit(serve(text))
	}
	nstest.Main(m, before...)
}

func serve(text string) int {
	var r Role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		panic(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	o := Options(r.Dir)
	o.Clean = r.Clean
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if r.KillAt > 0 {
		o.Wrap = func(h reconcile.Host) reconcile.Host { return &mortal{Host: h, left: r.KillAt} }
	}
	o.BeforeWrite, o.BeforeHostOp, o.BeforeChangeWrite = killAt(r.KillAtWrite), killAt(r.KillAtHostOp), killAt(r.KillAtChangeWrite)
	if err := daemon.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "daemon:", err)
		return 1
	}
	return 0
}

// killAt kills the process at a call, counted from 1; 0 = never.
func killAt(n int) func() {
	if n == 0 {
		return nil
	}
	var calls atomic.Int64
	return func() {
		if calls.Add(1) == int64(n) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}
}

func Options(dir string) daemon.Options {
	return daemon.Options{ConfigDir: filepath.Join(dir, "etc"), StateDir: filepath.Join(dir, "var"),
		RuntimeDir: RuntimeDir(dir), NetnsDir: filepath.Join(dir, "netns"), Root: filepath.Join(dir, "root"), Socket: filepath.Join(dir, "sock"), Version: "test", ResolvConf: filepath.Join(dir, "resolv.conf")}
}

// RuntimeDir is on a tmpfs where there is one, as /run is.
func RuntimeDir(dir string) string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		return filepath.Join("/dev/shm", filepath.Base(dir))
	}
	return filepath.Join(dir, "run")
}

// mortal is a host that applies ops one at a time and kills the process before
// the one that is one too many.
type mortal struct {
	reconcile.Host
	left int
}

func (m *mortal) Apply(ctx context.Context, ops []plan.Op) []error {
	var errs []error
	for _, op := range ops {
		if m.left--; m.left == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
		errs = append(errs, m.Host.Apply(ctx, []plan.Op{op})...)
		if errs[len(errs)-1] != nil {
			break
		}
	}
	return errs
}

// Machine is a network namespace with the directories of a daemon, which may be
// running or not.
type Machine struct {
	T      testing.TB
	NS     *netns.NS
	Dir    string
	Env    []string // of the daemon, besides the test's own
	Cmd    *exec.Cmd
	Log    *Journal
	Ended  chan struct{}
	Client *api.Client
}

func NewMachine(t testing.TB, ns *netns.NS) *Machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "kvmnet") // t.TempDir is too long for a socket path
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(Options(dir).Root, 0o755); err != nil {
		t.Fatal(err)
	}
	m := &Machine{T: t, NS: ns, Dir: dir, Client: api.NewClient(filepath.Join(dir, "sock"))}
	t.Cleanup(func() {
		m.Kill()
		m.removeRouters()
		os.RemoveAll(dir)
		os.RemoveAll(RuntimeDir(dir))
	})
	return m
}

// removeRouters unbinds the namespaces of routers that are still there.
func (m *Machine) removeRouters() {
	dir := filepath.Join(m.Dir, "netns")
	names, _ := os.ReadDir(dir) // none without a router
	for _, n := range names {
		if err := syscall.Unmount(filepath.Join(dir, n.Name()), syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) {
			m.T.Errorf("unbind router %s: %v", n.Name(), err)
		}
	}
}

// Journal is what the daemon wrote to standard error.
type Journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Start starts the daemon and waits until it answers.
func (m *Machine) Start(killAt int) {
	m.T.Helper()
	m.Launch(killAt)
	nstest.Eventually(m.T, time.Minute, func() error {
		select {
		case <-m.Ended:
			m.T.Fatalf("the daemon ended: %s", m.Log)
		default:
		}
		_, err := m.Client.Status(m.T.Context())
		return err
	})
}

// Launch starts the daemon and does not wait.
func (m *Machine) Launch(killAt int) { m.LaunchAs(Role{Dir: m.Dir, KillAt: killAt}) }

func (m *Machine) LaunchAs(r Role) {
	m.T.Helper()
	text, _ := json.Marshal(r)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), roleVar+"="+string(text)), m.Env...)
	log := &Journal{}
	cmd.Stderr = log
	if err := m.NS.Do(cmd.Start); err != nil {
		m.T.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	m.Cmd, m.Log, m.Ended = cmd, log, ended
}

// Stop ends the daemon in order; the networks stay.
func (m *Machine) Stop() {
	m.T.Helper()
	m.Cmd.Process.Signal(syscall.SIGTERM)
	m.Wait()
}

// Kill ends the daemon at once.
func (m *Machine) Kill() {
	if m.Cmd != nil {
		m.Cmd.Process.Kill()
		m.Wait()
	}
}

// Wait waits for the end of the daemon. What the race detector said of it is a
// failure of the test.
func (m *Machine) Wait() {
	select {
	case <-m.Ended:
		if log := m.Log.String(); strings.Contains(log, "WARNING: DATA RACE") {
			m.T.Errorf("the daemon has a data race: %s", log)
		}
	case <-time.After(time.Minute):
		m.T.Errorf("the daemon did not end: %s", m.Log)
	}
}

// Apply applies YAML and fails on any problem.
func (m *Machine) Apply(text string) api.ApplyResult {
	m.T.Helper()
	r, err := m.Client.Apply(m.T.Context(), api.ApplyRequest{Files: []api.File{{Name: "test.yaml", Text: text}}})
	if err != nil {
		m.T.Fatalf("apply: %v\n%s", err, m.Log)
	}
	return r
}

// Drift returns what the daemon would repair, a line each.
func (m *Machine) Drift() []string {
	m.T.Helper()
	r, err := m.Client.Drift(m.T.Context())
	if err != nil {
		m.T.Fatal(err)
	}
	return r.Ops
}

// Settled waits until the daemon finds nothing to do.
func (m *Machine) Settled() {
	m.T.Helper()
	nstest.Eventually(m.T, time.Minute, func() error {
		if ops := m.Drift(); len(ops) > 0 {
			return fmt.Errorf("still to do:\n%s\n%s", strings.Join(ops, "\n"), m.Log)
		}
		return nil
	})
}
