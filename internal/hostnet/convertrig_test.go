package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// fakeKernel is a kernel with one NIC: "eth0" or "eth0 in br0".
type fakeKernel struct {
	mu      sync.Mutex
	state   string
	leased  bool
	links   []string
	broken  error // what apply says, after half of the work
	reverts int
	own     json.RawMessage // of the bridge that is there
	given   json.RawMessage // what back was told of that
}

func (k *fakeKernel) into(nic, bridge string, o bridgeOptions) (move, error) {
	return k.move(nic+" in "+bridge, fmt.Sprintf("link add %s type bridge stp %v", bridge, o.STP), "link set "+nic+" master "+bridge)
}

func (k *fakeKernel) back(bridge, nic string, own json.RawMessage) (move, error) {
	k.given = own
	return k.move(nic, "link set "+nic+" nomaster", "link del "+bridge)
}

func (k *fakeKernel) move(to string, ops ...string) (move, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, err := json.Marshal(k.state)
	live := spec.HostInterface{Name: "eth0", MAC: spec.GenerateMAC("eth0"), MTU: 1500, IPv4: &spec.InterfaceIP{DHCP: k.leased}}
	return move{Ops: ops, Before: before, Own: k.own, Live: live, outage: new(time.Millisecond), late: new([]string), do: func(context.Context) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.broken != nil {
			k.state = "half"
			return k.broken
		}
		k.state = to
		return nil
	}}, err
}

func (k *fakeKernel) apply(ctx context.Context, m move) error { return m.do(ctx) }

func (k *fakeKernel) revert(_ context.Context, before json.RawMessage) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reverts++
	return json.Unmarshal(before, &k.state)
}

func (k *fakeKernel) exists(name string) (bool, error) { return slices.Contains(k.links, name), nil }

func (k *fakeKernel) is(t *testing.T, want string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state != want {
		t.Errorf("the kernel is %q, want %q", k.state, want)
	}
}

// rig is a host with a fake kernel and files of systemd-networkd.
type rig struct {
	*Host
	kernel *fakeKernel
	t      *testing.T
	root   string
	ran    []string // commands of managers
	claims map[string]string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	nstest.Need(t)
	r := &rig{t: t, root: t.TempDir(), kernel: &fakeKernel{state: "eth0"}, claims: map[string]string{}}
	r.write("/etc/systemd/network/10-eth0.network", "[Match]\nName=eth0\n\n[Network]\nAddress=192.0.2.2/24\n")
	r.write("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "")
	r.open(Options{NS: nstest.NS(t), StateDir: t.TempDir()})
	return r
}

func (r *rig) open(o Options) {
	r.t.Helper()
	o.Root = r.root
	o.Claims = func(name string) (refusals, notes []string) {
		switch text := r.claims[name]; {
		case strings.HasPrefix(text, "note: "):
			return nil, []string{text}
		case text != "":
			return []string{text}, nil
		}
		return nil, nil
	}
	o.Run = func(_ context.Context, words []string) error {
		r.ran = append(r.ran, strings.Join(words, " "))
		return errors.New("it is not there")
	}
	h, err := Open(o)
	if err != nil {
		r.t.Fatal(err)
	}
	h.kernel = r.kernel
	r.Host = h
	r.t.Cleanup(func() { h.Close(context.WithoutCancel(r.t.Context())) })
}

// again opens the host anew, as a daemon does that was killed.
func (r *rig) again() {
	r.t.Helper()
	r.journal.Abandon()
	r.open(r.Options)
	if _, err := r.Recover(r.t.Context()); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) write(path, text string) {
	r.t.Helper()
	full := filepath.Join(r.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// files prints the tree.
func (r *rig) files() string {
	r.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(r.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := e.Info()
		if err != nil {
			return err
		}
		if strings.HasPrefix(path, filepath.Join(r.root, "run")) { // a boot forgets it
			return nil
		}
		text, _ := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %s\n%s\n", i.Mode(), strings.TrimPrefix(path, r.root), text)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return b.String()
}
