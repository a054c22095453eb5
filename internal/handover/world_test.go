package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// The test binary is also a program of a user who wants a port: started with this
// variable set, it asks at the socket it names, and tells what it got.
const askVar = "KVMNET_TEST_ASK"

func TestMain(m *testing.M) {
	if path := os.Getenv(askVar); path != "" {
		ask(path)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// told is what a program got.
type told struct {
	Opened api.Opened
	Files  int
	Error  string
}

func ask(path string) {
	var t told
	var files []*os.File
	c, err := Dial(path)
	if err == nil {
		t.Opened, files, err = c.Open(context.Background(), api.OpenPort{Network: "lab"})
		t.Files = len(files)
	}
	if err != nil {
		t.Error = err.Error()
	}
	json.NewEncoder(os.Stdout).Encode(t)
}

// askAs runs the program as another user.
func askAs(t *testing.T, path string, who *syscall.Credential) (got told) {
	t.Helper()
	// The binary of the test is where only root may go.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), askVar+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ask as user %d: %v", who.Uid, err)
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return got
}

// opener is a manager without a kernel: its taps are pipes.
type opener struct {
	mu    sync.Mutex
	asked []api.OpenPort
	by    []api.Caller
	kept  []string
	left  []string
	n     int

	refuse  error
	problem string        // of every port
	enough  chan struct{} // if not nil, OpenPort waits for it
}

func (o *opener) OpenPort(ctx context.Context, who api.Caller, r api.OpenPort) (api.Port, []*os.File, error) {
	if o.enough != nil {
		select {
		case <-o.enough:
		case <-ctx.Done():
			return api.Port{}, nil, ctx.Err()
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked, o.by = append(o.asked, r), append(o.by, who)
	if o.refuse != nil {
		return api.Port{}, nil, o.refuse
	}
	o.n++
	p := api.Port{Name: fmt.Sprintf("lab-%d", o.n), Spec: &spec.Port{Network: r.Network, Interface: fmt.Sprintf("tap%d", o.n)}}
	if o.problem != "" {
		p.Status.Problems = []string{o.problem}
	}
	var files []*os.File
	for range max(r.Queues, 1) {
		if r.ByName {
			break
		}
		mine, far, err := os.Pipe()
		if err != nil {
			return api.Port{}, nil, err
		}
		fmt.Fprint(far, p.Name)
		far.Close()
		files = append(files, mine)
	}
	return p, files, nil
}

func (o *opener) KeepPort(name string) { o.note(&o.kept, name) }

func (o *opener) LeavePort(_ context.Context, name string) { o.note(&o.left, name) }

func (o *opener) note(list *[]string, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*list = append(*list, name)
}

func (o *opener) leftPorts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.left)
}

// daemon is a server that serves.
type daemon struct {
	*Server
	path string
	stop func() // and wait
}

// serve runs a server until the end of the test.
func serve(t *testing.T, o *opener, change ...func(*Server)) daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "kvmnet-handover") // t.TempDir lets root in only
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o755)
	path := filepath.Join(dir, "guests.sock")
	s, err := Listen(path, o, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("the server ended: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("the server does not end")
			}
		})
	}
	t.Cleanup(stop)
	return daemon{s, path, stop}
}

func dial(t *testing.T, path string) *Client {
	t.Helper()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
