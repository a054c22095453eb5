package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/api"
)

// waiting is what a fake daemon knows of changes that wait: eth0's is confirmed by
// somebody at the third look, eth1's reverted, and that of any other stays.
type waiting struct {
	mu    sync.Mutex
	all   []api.HostChange
	looks int
}

func (f *fake) ConvertBridge(_ context.Context, c api.ConvertBridge) (api.Conversion, error) {
	f.note("convert %s into %q stp=%v delay=%s within=%s volatile=%v peer=%s", c.Interface, c.Bridge, c.STP, c.Delay, c.ConfirmWithin, c.Volatile, c.Peer.Client)
	if c.Interface == "wlan0" {
		return api.Conversion{}, &api.Error{Code: api.CodeConflict, Message: "wlan0 is a Wi-Fi station, whose access point takes no frames of guests: give them a network with mode nat or route"}
	}
	return f.wait(c.Interface+" into br0", c.Plan), nil
}

func (f *fake) UnconvertBridge(_ context.Context, c api.UnconvertBridge) (api.Conversion, error) {
	f.note("unconvert %s within=%s", c.Bridge, c.ConfirmWithin)
	return f.wait("eth0 out of "+c.Bridge, c.Plan), nil
}

func (f *fake) wait(what string, plan bool) api.Conversion {
	c := api.Conversion{Manager: "netplan", Ops: []string{"link add br0 type bridge", "link set eth0 master br0"}, Files: "--- /etc/netplan/a.yaml\n+++ /etc/netplan/a.yaml\n",
		Outage: "some milliseconds", Warnings: []string{"eth0 has a lease"}}
	if plan {
		return c
	}
	c.Outage, c.Watches = "3 ms", "192.0.2.7 to port 22"
	f.waiting.mu.Lock()
	defer f.waiting.mu.Unlock()
	f.waiting.looks = 0
	ch := api.HostChange{ID: fmt.Sprintf("b3f%d", len(f.waiting.all)), What: what, Holds: []string{"eth0", "br0"}, State: api.ChangeArmed,
		Made: time.Now(), Deadline: time.Now().Add(time.Minute), Left: "1m0s"}
	f.waiting.all = append(f.waiting.all, ch)
	c.Change = &ch
	return c
}

func (f *fake) Conversions(context.Context) ([]api.ConvertedBridge, error) {
	return []api.ConvertedBridge{{Bridge: "br7", Interface: "eth7", Manager: "netplan", Files: []string{"/etc/netplan/a.yaml"}, Made: time.Unix(1e9, 0)}}, nil
}

func (f *fake) Changes(context.Context) ([]api.HostChange, error) {
	f.waiting.mu.Lock()
	defer f.waiting.mu.Unlock()
	if f.waiting.looks++; f.waiting.looks == 3 {
		for i := range f.waiting.all {
			switch c := &f.waiting.all[i]; {
			case c.State != api.ChangeArmed:
			case strings.HasPrefix(c.What, "eth0 into"):
				end(c, api.ChangeConfirmed, "a new connection from 192.0.2.7:50023 to 192.0.2.2:22")
			case strings.HasPrefix(c.What, "eth1"):
				end(c, api.ChangeReverted, "nobody confirmed it within 1m0s")
			}
		}
	}
	return append([]api.HostChange{}, f.waiting.all...), nil
}

func (f *fake) ConfirmChange(_ context.Context, id string) (api.HostChange, error) {
	return f.endChange(id, api.ChangeConfirmed)
}

func (f *fake) RollbackChange(_ context.Context, id string) (api.HostChange, error) {
	return f.endChange(id, api.ChangeReverted)
}

func (f *fake) endChange(id, state string) (api.HostChange, error) {
	f.waiting.mu.Lock()
	defer f.waiting.mu.Unlock()
	for i := range f.waiting.all {
		if c := &f.waiting.all[i]; c.State == api.ChangeArmed && (id == "" || id == c.ID) {
			end(c, state, "asked to")
			return *c, nil
		}
	}
	return api.HostChange{}, &api.Error{Code: api.CodeNotFound, Message: "no such change waits for a confirmation"}
}

func end(c *api.HostChange, state, why string) { c.State, c.Ended, c.Why = state, time.Now(), why }

// sudo clears the environment; the shell above it still has it.
func TestPeerIsFoundAboveSudo(t *testing.T) {
	proc := t.TempDir()
	t.Setenv("SSH_CONNECTION", "")
	procDir = proc
	defer func() { procDir = "/proc" }()
	process := func(pid, ppid int, name, environ string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{"stat": fmt.Sprintf("%d (%s) S %d 1 1 0", pid, name, ppid), "environ": environ} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	process(os.Getppid(), 4001, "sudo", "PATH=/bin\x00")
	process(4001, 4002, "a ) 7 (", "X=SSH_CONNECTION=1 2 3 4\x00SSH_CONNECTION=half\x00")
	process(4002, 1, "bash", "PATH=/bin\x00SSH_CONNECTION=fe80::7%br0 50022 fe80::2%eth0 22\x00")
	want := api.Peer{Client: "[fe80::7%br0]:50022", Server: "[fe80::2%eth0]:22"}
	if got := sshPeer(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	os.RemoveAll(filepath.Join(proc, "4002"))
	if got := sshPeer(); got != (api.Peer{}) {
		t.Errorf("got %v, and nobody came by SSH", got)
	}
	t.Setenv("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.2 22")
	if got := sshPeer(); got.Client != "192.0.2.7:50022" || got.Server != "192.0.2.2:22" {
		t.Errorf("got %v", got)
	}
}
