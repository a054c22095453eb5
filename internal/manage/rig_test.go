package manage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
	"kvmnet/internal/store"
)

// host is a reconcile.Host that only remembers.
type host struct {
	mu     sync.Mutex
	state  plan.State
	wake   func()
	gate   chan struct{} // looks wait until it is closed; nil = they do not
	waits  atomic.Bool   // one does
	refuse string        // ops whose text contains it fail
}

// newHost has an uplink with an address, and nothing of ours.
func newHost() *host {
	h := &host{state: plan.State{}, wake: func() {}}
	h.state.Add(plan.Link{Name: "eth0", Type: "device"}, plan.Up{Link: "eth0"},
		plan.Addr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.2/24")},
		plan.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Link: "eth0"},
		plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "0"},
		plan.Sysctl{Family: "ipv4", Link: "all", Name: "forwarding", Value: "0"})
	return h
}

func (h *host) Observe(context.Context) (plan.State, error) {
	h.mu.Lock()
	gate := h.gate
	h.mu.Unlock()
	if gate != nil {
		h.waits.Store(true)
		<-gate
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.state), nil
}

func (h *host) Glance(_ context.Context, links []string) (plan.State, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := plan.State{}
	for _, o := range h.state {
		l, _ := o.(plan.Link)
		if o.Key().NS == "" && (slices.Contains(links, l.Name) || slices.Contains(links, linkOf(o))) {
			seen.Add(o)
		}
	}
	return seen, nil
}

func (h *host) Apply(_ context.Context, ops []plan.Op) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.wake()
	var errs []error
	for _, op := range ops {
		switch {
		case h.refuse != "" && strings.Contains(op.String(), h.refuse):
			return append(errs, fmt.Errorf("%s: refused", op))
		case op.Verb != plan.Del && linkOf(op.Object) != "" && !h.has(op.Object.Key().NS, linkOf(op.Object)):
			return append(errs, fmt.Errorf("%s: no such device", op))
		case op.Verb == plan.Del:
			h.drop(op.Object)
		default:
			h.set(op.Object)
		}
		errs = append(errs, nil)
	}
	return errs
}

// set adds or changes an object; what is not ours stays so.
func (h *host) set(o plan.Object) {
	switch o := o.(type) {
	case plan.Link:
		if have, _ := h.state.Link(o.NS, o.Name); o.Foreign {
			have.Master = o.Master
			if o.MTU > 0 {
				have.MTU = o.MTU
			}
			if !o.MAC.IsZero() {
				have.MAC = o.MAC
			}
			h.state.Add(have)
			return
		}
	case plan.Sysctl:
		if have, ok := h.state[o.Key()].(plan.Sysctl); ok && o.Foreign {
			have.Value = o.Value
			h.state.Add(have)
			return
		}
	}
	h.state.Add(o)
}

func (h *host) has(ns, link string) bool {
	_, there := h.state.Link(ns, link)
	return there || link == "all" || link == "lo"
}

// drop removes an object and all that lives on it or in it.
func (h *host) drop(o plan.Object) {
	delete(h.state, o.Key())
	l, isLink := o.(plan.Link)
	n, isNetns := o.(plan.Netns)
	for k, child := range h.state {
		if isLink && k.NS == l.NS && linkOf(child) == l.Name || isNetns && k.NS == n.Name {
			delete(h.state, k)
		}
	}
}

func linkOf(o plan.Object) string {
	switch o := o.(type) {
	case plan.Addr:
		return o.Link
	case plan.Up:
		return o.Link
	case plan.Sysctl:
		return o.Link
	case plan.Route:
		return o.Link
	}
	return ""
}

func (h *host) Watch(ctx context.Context, wake func()) error {
	h.change(func() { h.wake = wake })
	<-ctx.Done()
	return nil
}

// change does something to the host behind our back.
func (h *host) change(do func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	do()
}

func (h *host) add(objs ...plan.Object) { h.change(func() { h.state.Add(objs...) }) }

// link returns a link as the host has it.
func (h *host) link(name string) (plan.Link, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Link("", name)
}

func (h *host) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.String()
}

// rig is a manager with its loop, on a host in memory.
type rig struct {
	*Manager
	t      *testing.T
	host   *host
	disk   *store.Store
	dirs   store.Dirs
	guests *guests
	kernel *kernel

	stop   func()      // ends the loop
	asking atomic.Bool // whether the loop is asking for what is to be live
}

// live is what a manager wants live: this one's or one that was before a boot.
func (r *rig) live(m *Manager) (*spec.Spec, error) {
	r.asking.Store(true)
	defer r.asking.Store(false)
	return m.Live()
}

func newRig(t *testing.T) *rig {
	t.Helper()
	root := t.TempDir()
	r := &rig{t: t, host: newHost(), guests: &guests{}, kernel: &kernel{}, dirs: store.Dirs{Config: filepath.Join(root, "etc"), State: filepath.Join(root, "var"), Runtime: filepath.Join(root, "run")}}
	r.boot()
	return r
}

// boot starts the daemon, as it were: the rig forgets everything but the disk
// and the host.
func (r *rig) boot() {
	r.t.Helper()
	var err error
	r.disk, err = store.Open(r.dirs)
	r.ok(err)
	r.Manager = New(Options{Store: r.disk, Version: "test", ConfigDir: r.dirs.Config, Insight: r.kernel, OpenTap: r.host.openTap})
	m := r.Manager
	m.Attach(reconcile.New(reconcile.Options{Host: r.host, Live: func() (*spec.Spec, error) { return r.live(m) }, Record: r.disk, Facts: plan.Facts{HostID: "h", Program: "p"},
		UIDs: m.UIDs, Guests: r.kernel, Uplinks: r.kernel, Passed: m.Passed, Looked: m.Looked, Step: m.Step}), r.guests)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { m.engine.Run(ctx); close(done) }()
	r.stop = sync.OnceFunc(func() { cancel(); <-done })
	r.t.Cleanup(r.stop)
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// refused checks that an error has a code and says words.
func (r *rig) refused(err error, code string, words ...string) {
	r.t.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Code != code {
		r.t.Errorf("got %v, want an error with code %s", err, code)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			r.t.Errorf("%q does not say %q", err, w)
		}
	}
}

// untouched checks that something changes neither disk nor host.
func (r *rig) untouched(do func()) {
	r.t.Helper()
	_, err := r.engine.Sync(r.t.Context())
	r.ok(err)
	tree, state := r.tree(), r.host.String()
	do()
	if d := cmp.Diff(tree, r.tree()); d != "" {
		r.t.Errorf("the disk changed, -before +after:\n%s", d)
	}
	if d := cmp.Diff(state, r.host.String()); d != "" {
		r.t.Errorf("the host changed, -before +after:\n%s", d)
	}
}

// tree returns every file below the three directories.
func (r *rig) tree() map[string]string {
	r.t.Helper()
	files := map[string]string{}
	r.ok(filepath.WalkDir(filepath.Dir(r.dirs.Config), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			files[path] = "directory"
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	}))
	return files
}

func (r *rig) try(dry bool, texts ...string) (api.ApplyResult, error) {
	var files []api.File
	for i, text := range texts {
		files = append(files, api.File{Name: fmt.Sprintf("%c.yaml", 'a'+i), Text: text})
	}
	return r.Apply(r.t.Context(), api.ApplyRequest{Files: files, DryRun: dry})
}

func (r *rig) apply(text string) api.ApplyResult {
	r.t.Helper()
	result, err := r.try(false, text)
	r.ok(err)
	if len(result.Problems) > 0 {
		r.t.Fatalf("problems: %v", result.Problems)
	}
	return result
}

// verbsOf tells what an apply did to its objects, "network/lab created".
func verbsOf(result api.ApplyResult) string {
	var words []string
	for _, c := range result.Objects {
		words = append(words, c.Object+" "+c.Verb)
	}
	return strings.Join(words, ", ")
}

func (r *rig) define(text string) {
	r.t.Helper()
	_, err := r.Define(r.t.Context(), api.DefineRequest{File: api.File{Name: "a.yaml", Text: text}})
	r.ok(err)
}

func (r *rig) create(text string) {
	r.t.Helper()
	_, err := r.Define(r.t.Context(), api.DefineRequest{File: api.File{Name: "a.yaml", Text: text}, Transient: true})
	r.ok(err)
}

// add adds a port, "vm1 lab", which is transient when marked so: "~vm1 lab".
func (r *rig) add(text string) api.Port {
	r.t.Helper()
	name, network, _ := strings.Cut(text, " ")
	name, transient := strings.CutPrefix(name, "~")
	p, err := r.AddPort(r.t.Context(), api.AddPort{Name: name, Transient: transient, Port: &spec.Port{Network: network}})
	r.ok(err)
	return p
}

// edit puts a file where definitions are, as an editor would.
func (r *rig) edit(path, text string) {
	r.t.Helper()
	path = filepath.Join(r.dirs.Config, path)
	r.ok(os.WriteFile(path+"~", []byte(text), 0o644))
	r.ok(os.Rename(path+"~", path))
}

func (r *rig) text(path string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dirs.Config, path))
	r.ok(err)
	return string(text)
}

// state tells how a network is: its state, then persistent and pending.
func (r *rig) state(name string) string {
	r.t.Helper()
	n, err := r.Network(r.t.Context(), name)
	var e *api.Error
	if errors.As(err, &e) && e.Code == api.CodeNotFound {
		return ""
	}
	r.ok(err)
	words := n.Status.State
	if n.Status.Persistent {
		words += " persistent"
	}
	if n.Status.Pending {
		words += " pending"
	}
	_, there := r.host.link(n.Status.Bridge)
	if there != (n.Status.State == api.Running) {
		r.t.Errorf("network %s is %q and its bridge is there: %v", name, words, there)
	}
	return words
}

func (r *rig) is(name, want string) {
	r.t.Helper()
	if got := r.state(name); got != want {
		r.t.Errorf("network %s is %q, want %q", name, got, want)
	}
}

// settled waits until the host is as wanted: what is in the way of another is
// deleted by one pass, and replaced by the next.
func (r *rig) settled() {
	r.t.Helper()
	var todo []string
	defer func() {
		if len(todo) > 0 {
			r.t.Logf("still to do:\n%s", strings.Join(todo, "\n"))
		}
	}()
	r.eventually("nothing to do", func() bool {
		result, err := r.Drift(r.t.Context())
		r.ok(err)
		todo = result.Ops
		return len(todo) == 0
	})
}

// eventually waits for the loop.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("%s does not come about", what)
		}
	}
}

// full is a store on a disk that takes no more after some writes.
type full struct {
	keeper
	left  int  // the write that fails, counted from 1
	stays bool // what is written after it fails, too; deleting does not need space
	fired bool
}

var errFull = errors.New("no space left on device")

func (f *full) write(do func() error) error {
	if f.left--; f.left == 0 {
		f.fired = true
		return errFull
	}
	return do()
}

func (f *full) put(do func() error) error {
	if f.fired && f.stays {
		return errFull
	}
	return f.write(do)
}

func (f *full) Define(s *spec.Spec) error { return f.put(func() error { return f.keeper.Define(s) }) }
func (f *full) Run(s *spec.Spec) error    { return f.put(func() error { return f.keeper.Run(s) }) }

func (f *full) Undefine(kind, name string) error {
	return f.write(func() error { return f.keeper.Undefine(kind, name) })
}

func (f *full) Stop(kind, name string) error {
	return f.write(func() error { return f.keeper.Stop(kind, name) })
}

// stranger is a link that is not ours.
func stranger(name, kind string) plan.Link { return plan.Link{Name: name, Type: kind} }

func address(link, prefix string) plan.Addr {
	return plan.Addr{Link: link, Prefix: netip.MustParsePrefix(prefix)}
}

// boots returns the rig after a reboot, with a host as new, and some change to
// the disk before it.
func (r *rig) boots(change func()) *rig {
	r.t.Helper()
	next := &rig{t: r.t, host: newHost(), guests: r.guests, kernel: r.kernel, dirs: r.dirs}
	r.ok(os.RemoveAll(r.dirs.Runtime))
	change()
	next.boot()
	return next
}

// keep gives the manager another store.
func (r *rig) keep(k keeper) {
	r.storing.Lock()
	defer r.storing.Unlock()
	r.store = k
}
