package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// memory is a Host that only remembers.
type memory struct {
	mu      sync.Mutex
	state   plan.State
	looks   int
	glances int
	refuse  string // ops whose text contains it fail
	wake    func()
	journal *[]string
}

func (m *memory) Observe(context.Context) (plan.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks++
	return maps.Clone(m.state), nil
}

func (m *memory) Glance(_ context.Context, links []string) (plan.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.glances++
	return glance(m.state, links), nil
}

// glance is the part of a state that is on links.
func glance(have plan.State, links []string) plan.State {
	seen := plan.State{}
	for _, o := range have {
		if slices.Contains(links, linkOf(o)) {
			seen.Add(o)
		}
		if l, ok := o.(plan.Link); ok && slices.Contains(links, l.Name) {
			seen.Add(o)
		}
	}
	return seen
}

func (m *memory) Apply(_ context.Context, ops []plan.Op) []error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, op := range ops {
		*m.journal = append(*m.journal, op.String())
		switch {
		case m.refuse != "" && strings.Contains(op.String(), m.refuse):
			return append(errs, fmt.Errorf("%s: refused", op))
		case op.Verb == plan.Del:
			m.drop(op.Object)
		default:
			m.state.Add(op.Object)
		}
		errs = append(errs, nil)
	}
	return errs
}

// drop removes an object and, of a link, all that lives on it.
func (m *memory) drop(o plan.Object) {
	delete(m.state, o.Key())
	l, isLink := o.(plan.Link)
	for k, child := range m.state {
		if isLink && linkOf(child) == l.Name {
			delete(m.state, k)
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

func (m *memory) Watch(ctx context.Context, wake func()) error {
	m.mu.Lock()
	m.wake = wake
	m.mu.Unlock()
	<-ctx.Done()
	return nil
}

// damage removes an object, as a hand would, and tells the watcher.
func (m *memory) damage(k plan.Key) {
	m.mu.Lock()
	delete(m.state, k)
	m.mu.Unlock()
	m.wake()
}

func (m *memory) has(k plan.Key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state[k] != nil
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looks
}

// record is a Record that only remembers.
type record struct {
	kept    map[string]string
	journal *[]string
	err     error
}

func (r *record) Borrowed() (map[string]string, error) { return maps.Clone(r.kept), nil }

func (r *record) Borrow(b map[string]string) error {
	if r.err != nil {
		return r.err
	}
	*r.journal = append(*r.journal, fmt.Sprintf("record %v", b))
	r.kept = maps.Clone(b)
	return nil
}

type rig struct {
	*Engine
	host    *memory
	record  *record
	journal []string
	live    *spec.Spec
	passed  []Report
}

// newRig runs an engine on a host with an uplink and one NAT network wanted.
func newRig(t *testing.T) *rig {
	r := &rig{live: &spec.Spec{Networks: map[string]*spec.Network{"lab": {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab"},
		Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.2.0.1/24")}}}}}}
	r.host = &memory{state: plan.State{}, journal: &r.journal}
	r.host.state.Add(plan.Link{Name: "eth0", Type: "device"}, plan.Up{Link: "eth0"},
		plan.Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Link: "eth0"},
		plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "0"},
		plan.Sysctl{Family: "ipv4", Link: "all", Name: "forwarding", Value: "0"})
	r.record = &record{kept: map[string]string{}, journal: &r.journal}
	r.Engine = New(Options{Host: r.host, Record: r.record, Facts: plan.Facts{HostID: "h", Program: "p"},
		Live:   func() (*spec.Spec, error) { return r.live, nil },
		Passed: func(rep Report, _ bool) { r.passed = append(r.passed, rep) }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// change does something to the rig while the loop rests.
func (r *rig) change(t *testing.T, do func()) {
	t.Helper()
	if err := r.ask(t.Context(), func(context.Context) { do() }); err != nil {
		t.Fatal(err)
	}
}

var labKey = plan.Link{Name: "lab", Type: "bridge"}.Key()

func TestRunMakesItSoAtOnceAndThenRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		if !r.host.has(labKey) {
			t.Fatal("no bridge after the first pass")
		}
		if n := r.host.count(); n != 1 {
			t.Errorf("%d looks, want 1", n)
		}
		time.Sleep(10 * resync)
		if ops, _ := r.Preview(t.Context(), nil); len(ops.Ops) != 0 {
			t.Errorf("still to do: %v", plan.Lines(ops.Ops))
		}
		if len(r.passed) != 1 {
			t.Errorf("%d passes did something, want 1", len(r.passed))
		}
	})
}

func TestDamageIsRepairedWithinTheSettlingTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		looks := r.host.count()
		for range 100 { // a storm of events is one pass
			r.host.damage(labKey)
		}
		time.Sleep(settle)
		synctest.Wait()
		if !r.host.has(labKey) {
			t.Error("the bridge is not back")
		}
		if n := r.host.count() - looks; n != 1 {
			t.Errorf("%d looks for one storm", n)
		}
	})
}

func TestEventsWithoutPauseDoNotPutTheRepairOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.host.damage(labKey)
		for range 10 {
			time.Sleep(settle / 4)
			r.Wake()
		}
		synctest.Wait()
		if !r.host.has(labKey) {
			t.Error("never repaired")
		}
	})
}

func TestPausedLoopLooksButDoesNotTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.Pause(t.Context(), true)
		r.host.damage(labKey)
		time.Sleep(2 * resync)
		if r.host.has(labKey) {
			t.Error("repaired while paused")
		}
		rep, err := r.Preview(t.Context(), nil)
		if err != nil || len(rep.Ops) != 1 || rep.Ops[0].Object.Key() != labKey {
			t.Errorf("preview: %v, %v", plan.Lines(rep.Ops), err)
		}
		r.Pause(t.Context(), false)
		time.Sleep(settle)
		synctest.Wait()
		if !r.host.has(labKey) {
			t.Error("not repaired after resuming")
		}
	})
}

// The value before must be on disk before ours is in the kernel, and its record
// may go only after the value is back.
func TestRecordIsWrittenBeforeAndStruckAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		if len(r.journal) == 0 || r.journal[0] != "record map[net/ipv4/conf/eth0/forwarding:0]" {
			t.Fatalf("first of all: %q", r.journal)
		}
		r.change(t, func() { r.journal, r.live = nil, &spec.Spec{} })
		if _, err := r.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		last := len(r.journal) - 1
		if r.journal[last] != "record map[]" {
			t.Errorf("last of all: %q", r.journal[last])
		}
		if s := r.host.state[plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding"}.Key()].(plan.Sysctl); s.Value != "0" {
			t.Errorf("forwarding is %s, want what it was", s.Value)
		}
		if left := r.host.state.Owned(); len(left) > 1 || left.Owned()[plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding"}.Key()] == nil {
			t.Errorf("left:\n%s", left)
		}
	})
}

func TestNothingIsTouchedWhenTheRecordCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		lab := r.live
		r.change(t, func() { r.live = &spec.Spec{} })
		r.Sync(t.Context())
		r.change(t, func() { r.journal, r.record.err, r.live = nil, errors.New("disk full"), lab })
		rep, err := r.Sync(t.Context())
		if err != nil || !rep.Failed || len(r.journal) > 0 {
			t.Errorf("report %+v, %v; journal %q", rep.Problems, err, r.journal)
		}
	})
}

func TestRefusedOpIsToldAndTriedAgainMoreAndMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.change(t, func() { r.host.refuse = "add link lab" })
		r.host.damage(labKey)
		time.Sleep(time.Minute)
		synctest.Wait()
		s, err := r.Snapshot(t.Context())
		if err != nil || !s.Last.Failed || !s.Last.Blocked("network/lab") {
			t.Errorf("snapshot %+v, %v", s.Last.Problems, err)
		}
		tries := 0
		for _, line := range r.journal {
			if strings.HasPrefix(line, "add link lab type") {
				tries++
			}
		}
		if tries < 4 || tries > 10 {
			t.Errorf("%d tries in a minute", tries)
		}
		r.change(t, func() { r.host.refuse = "" })
		time.Sleep(resync)
		synctest.Wait()
		if !r.host.has(labKey) {
			t.Error("not repaired when the host allowed it")
		}
	})
}

// Without the rules that judge it a network must not come up; what does not
// depend on them goes on.
func TestFailedRuleKeepsItsNetworkDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.change(t, func() { r.live = &spec.Spec{} })
		r.Sync(t.Context())
		r.change(t, func() {
			r.host.refuse = "element from { lab"
			r.live = &spec.Spec{Networks: map[string]*spec.Network{
				"lab": {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab"}, Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.2.0.1/24")}}},
				"red": {Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "red"}}}}
		})
		rep, err := r.Sync(t.Context())
		if err != nil || !rep.Blocked("network/lab") || rep.Blocked("network/red") {
			t.Errorf("problems %v, %v", rep.Problems, err)
		}
		if r.host.has(labKey) {
			t.Error("a network came up without its rules")
		}
		if !r.host.has(plan.Link{Name: "red", Type: "bridge"}.Key()) {
			t.Error("the other network is not there")
		}
	})
}

func TestCollectGivesBackBeforeItForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.Pause(t.Context(), true)
		r.change(t, func() { r.live = &spec.Spec{} })
		if rep, err := r.Collect(t.Context()); err != nil || rep.Failed {
			t.Fatal(rep.Problems, err)
		}
		s := r.host.state[plan.Sysctl{Family: "ipv4", Link: "eth0", Name: "forwarding"}.Key()].(plan.Sysctl)
		if s.Value != "0" || len(r.record.kept) > 0 {
			t.Errorf("forwarding is %s, the record %v", s.Value, r.record.kept)
		}
	})
}

func TestCollectOnlyDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		synctest.Wait()
		r.Pause(t.Context(), true)
		r.host.mu.Lock()
		delete(r.host.state, labKey)
		r.host.state.Add(plan.Link{Mark: "port/gone", Name: "tap9", Type: "tap"})
		r.host.mu.Unlock()
		rep, err := r.Collect(t.Context())
		if err != nil || len(rep.Ops) != 1 || rep.Ops[0].Verb != plan.Del {
			t.Errorf("did %v, %v", plan.Lines(rep.Ops), err)
		}
		if r.host.has(labKey) {
			t.Error("gc made a bridge")
		}
	})
}

func TestRequestsAreRefusedWhenTheirContextEnds(t *testing.T) {
	e := New(Options{}) // does not run
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRulesAreNeverCutInTwo(t *testing.T) {
	var ops []plan.Op
	for i := range 3 * batch {
		ops = append(ops, plan.Op{Verb: plan.Add, Object: plan.Element{Map: "bridges", ID: fmt.Sprint(i)}})
	}
	for i := range 3 * batch {
		ops = append(ops, plan.Op{Verb: plan.Add, Object: plan.Link{Name: fmt.Sprint(i), Type: "bridge"}})
	}
	if n := cut(ops); n != 3*batch {
		t.Errorf("cut rules after %d", n)
	}
	if n := cut(ops[3*batch:]); n != batch {
		t.Errorf("cut links after %d", n)
	}
}
