package daemon_test

import (
	"context"
	"encoding/json"
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
	"kvmnet/internal/peers"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/resolved/resolvedtest"
)

// The test binary is also the daemon: started again with this variable set, it
// serves in the directories the variable names. So a test can kill a real
// process, at a chosen op.
const roleVar = "KVMNET_TEST_DAEMON"

// role tells the child what to be.
type role struct {
	Dir    string
	KillAt int // SIGKILL itself before this op, counted from 1; 0 = never

	KillAtWrite int // SIGKILL itself before this write of the lease book, counted from 1; 0 = never
}

func TestMain(m *testing.M) {
	if text := os.Getenv(roleVar); text != "" {
		os.Exit(serve(text))
	}
	nstest.Main(m, func() { peers.FetchKernel(context.Background(), nil) }, resolvedtest.Fetch)
}

func serve(text string) int {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		panic(err)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	o := options(r.Dir)
	o.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if r.KillAt > 0 {
		o.Wrap = func(h reconcile.Host) reconcile.Host { return &mortal{Host: h, left: r.KillAt} }
	}
	if r.KillAtWrite > 0 {
		var writes atomic.Int64
		o.BeforeWrite = func() {
			if writes.Add(1) == int64(r.KillAtWrite) {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {} // the signal is on its way
			}
		}
	}
	if err := daemon.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "daemon:", err)
		return 1
	}
	return 0
}

func options(dir string) daemon.Options {
	return daemon.Options{ConfigDir: filepath.Join(dir, "etc"), StateDir: filepath.Join(dir, "var"),
		RuntimeDir: runtimeDir(dir), Socket: filepath.Join(dir, "sock"), Version: "test", ResolvConf: filepath.Join(dir, "resolv.conf")}
}

// runtimeDir is on a tmpfs where there is one, as /run is.
func runtimeDir(dir string) string {
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

// machine is a network namespace with the directories of a daemon, which may be
// running or not.
type machine struct {
	t      testing.TB
	ns     *netns.NS
	dir    string
	env    []string // of the daemon, besides the test's own
	cmd    *exec.Cmd
	log    *journal
	ended  chan struct{}
	client *api.Client
}

func newMachine(t testing.TB, ns *netns.NS) *machine {
	t.Helper()
	dir, err := os.MkdirTemp("", "kvmnet") // t.TempDir is too long for a socket path
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, ns: ns, dir: dir, client: api.NewClient(filepath.Join(dir, "sock"))}
	t.Cleanup(func() {
		m.kill()
		os.RemoveAll(dir)
		os.RemoveAll(runtimeDir(dir))
	})
	return m
}

// journal is what the daemon wrote to standard error.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// start starts the daemon and waits until it answers.
func (m *machine) start(killAt int) {
	m.t.Helper()
	m.launch(killAt)
	nstest.Eventually(m.t, time.Minute, func() error {
		select {
		case <-m.ended:
			m.t.Fatalf("the daemon ended: %s", m.log)
		default:
		}
		_, err := m.client.Status(m.t.Context())
		return err
	})
}

// launch starts the daemon and does not wait.
func (m *machine) launch(killAt int) { m.launchAs(role{Dir: m.dir, KillAt: killAt}) }

func (m *machine) launchAs(r role) {
	m.t.Helper()
	text, _ := json.Marshal(r)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(append(os.Environ(), roleVar+"="+string(text)), m.env...)
	log := &journal{}
	cmd.Stderr = log
	if err := m.ns.Do(cmd.Start); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	m.cmd, m.log, m.ended = cmd, log, ended
}

// stop ends the daemon in order; the networks stay.
func (m *machine) stop() {
	m.t.Helper()
	m.cmd.Process.Signal(syscall.SIGTERM)
	m.wait()
}

// kill ends the daemon at once.
func (m *machine) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		m.wait()
	}
}

func (m *machine) wait() {
	select {
	case <-m.ended:
	case <-time.After(time.Minute):
		m.t.Errorf("the daemon did not end: %s", m.log)
	}
}

// apply applies YAML and fails on any problem.
func (m *machine) apply(text string) api.ApplyResult {
	m.t.Helper()
	r, err := m.client.Apply(m.t.Context(), api.ApplyRequest{Files: []api.File{{Name: "test.yaml", Text: text}}})
	if err != nil {
		m.t.Fatalf("apply: %v\n%s", err, m.log)
	}
	return r
}

// drift returns what the daemon would repair, a line each.
func (m *machine) drift() []string {
	m.t.Helper()
	r, err := m.client.Drift(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return r.Ops
}

// settled waits until the daemon finds nothing to do.
func (m *machine) settled() {
	m.t.Helper()
	nstest.Eventually(m.t, 10*time.Second, func() error {
		if ops := m.drift(); len(ops) > 0 {
			return fmt.Errorf("still to do:\n%s\n%s", strings.Join(ops, "\n"), m.log)
		}
		return nil
	})
}
