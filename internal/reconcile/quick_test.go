package reconcile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// plug has the rig want one more port, and makes a pass.
func (r *rig) plug(t *testing.T, name string) Report {
	t.Helper()
	return r.want(t, func(live *spec.Spec) {
		live.Ports[name] = &spec.Port{Network: "lab", Type: spec.Tap, Interface: name, MAC: spec.GenerateMAC(name)}
	})
}

func (r *rig) unplug(t *testing.T, name string) Report {
	t.Helper()
	return r.want(t, func(live *spec.Spec) { delete(live.Ports, name) })
}

// want changes a copy of what is wanted, and makes a pass.
func (r *rig) want(t *testing.T, change func(*spec.Spec)) Report {
	t.Helper()
	r.change(t, func() {
		live := *r.live
		live.Ports = maps.Clone(live.Ports)
		if live.Ports == nil {
			live.Ports = map[string]*spec.Port{}
		}
		change(&live)
		r.live = &live
	})
	return r.sync(t)
}

func (m *memory) looked() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looks
}

// resting is a rig that has found all as it is wanted.
func resting(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.sync(t)
	time.Sleep(time.Second)
	r.sync(t)
	return r
}

func TestPortsComeAndGoWithoutALookAtTheHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resting(t)
		looks := r.host.looked()
		if rep := r.plug(t, "vm1"); !rep.Glanced() || len(rep.Ops) == 0 {
			t.Errorf("the port took a look at the host: %s", plan.Lines(rep.Ops))
		}
		if l, _ := r.host.state.Link("", "vm1"); l.Master != "lab" || l.Owner() != "port/vm1" || !r.host.has(plan.Up{Link: "vm1"}.Key()) {
			t.Errorf("the port is not plugged in: %v", l)
		}
		rep := r.unplug(t, "vm1")
		if _, there := r.host.state.Link("", "vm1"); there || !rep.Glanced() {
			t.Error("the port is still there, or its end took a look at the host")
		}
		if now := r.host.looked(); now != looks {
			t.Errorf("the host was looked at %d times", now-looks)
		}
	})
}

// TestQuickPassesAreFollowedByALook attaches without a pause, while a stranger does
// harm, and expects it to be seen in time, and nothing else to be repaired.
func TestQuickPassesAreFollowedByALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resting(t)
		looks := r.host.looked()
		r.plug(t, "vm1")
		time.Sleep(confirm + settle)
		if r.host.looked() != looks+1 {
			t.Errorf("the host was looked at %d times soon after a quick pass, not once", r.host.looked()-looks)
		}
		r.host.damage(labKey)
		begin := time.Now()
		for i := 0; !r.host.has(labKey); i++ {
			r.plug(t, fmt.Sprintf("x%d", i))
			time.Sleep(20 * time.Millisecond)
			if time.Since(begin) > time.Second {
				t.Fatal("ports that come without a pause hide what a stranger did")
			}
		}
	})
}

func TestManyPortsInARowLeaveNothingToRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resting(t)
		before, err := r.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		quick := 0
		for i := range 200 {
			if rep := r.plug(t, fmt.Sprintf("vm%d", i)); rep.Glanced() {
				quick++
			}
			if i%3 == 0 {
				r.unplug(t, fmt.Sprintf("vm%d", i))
			}
		}
		if ops := r.preview(t).Ops; len(ops) > 0 || quick < 190 {
			t.Errorf("%d of 200 were quick, and there is left to do:\n%s", quick, strings.Join(plan.Lines(ops), "\n"))
		}
		time.Sleep(time.Minute)
		if s, err := r.Snapshot(t.Context()); err != nil || s.Repairs != before.Repairs {
			t.Errorf("%d repairs, %v", s.Repairs-before.Repairs, err)
		}
	})
}

// TestWhatStandsInTheWayIsToldByALook has a stranger's link under the port's name,
// and then a host that refuses.
func TestWhatStandsInTheWayIsToldByALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resting(t)
		r.change(t, func() { r.host.state.Add(plan.Link{Name: "vm1", Type: "dummy"}) })
		rep := r.plug(t, "vm1")
		if rep.Glanced() || !rep.Blocked("port/vm1") || !strings.Contains(strings.Join(rep.Problems["port/vm1"], " "), "not kvmnet's") {
			t.Errorf("the stranger's link is not told: %v", rep.Problems)
		}
		r.unplug(t, "vm1")
		r.change(t, func() { delete(r.host.state, plan.Link{Name: "vm1", Type: "dummy"}.Key()) })
		r.sync(t)
		r.change(t, func() { r.host.refuse = "add link vm2 type tap" })
		if rep := r.plug(t, "vm2"); rep.Glanced() || !rep.Failed || !rep.Blocked("port/vm2") {
			t.Errorf("the refusal is not told: %v", rep.Problems)
		}
		r.change(t, func() { r.host.refuse = "" })
		if rep := r.sync(t); rep.Failed || r.preview(t).Ops != nil {
			t.Errorf("the port does not come when the host lets it: %v", rep.Problems)
		}
	})
}

func TestMoreThanPortsTakesALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, change := range map[string]func(*spec.Spec){
			"a network": func(s *spec.Spec) {
				s.Networks = maps.Clone(s.Networks)
				s.Networks["red"] = &spec.Network{Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "red"}}
			},
			"a port among others": func(s *spec.Spec) {
				s.Ports["vm1"] = &spec.Port{Network: "lab", Type: spec.Tap, Interface: "vm1"}
				s.Bridges = map[string]*spec.HostBridge{"br0": {}}
			},
			"many ports": func(s *spec.Spec) {
				for i := range fewPorts + 1 {
					s.Ports[fmt.Sprint(i)] = &spec.Port{Network: "lab", Type: spec.Tap, Interface: fmt.Sprint("t", i)}
				}
			},
			"nothing": func(*spec.Spec) {},
		} {
			r := resting(t)
			if rep := r.want(t, change); rep.Glanced() {
				t.Errorf("%s: nobody looked at the host", name)
			}
		}
		r := resting(t)
		if err := r.Pause(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if rep := r.plug(t, "vm1"); rep.Glanced() {
			t.Error("while the loop is paused nobody looks afterwards")
		}
	})
}

func TestServersAreToldOfTheNetworkWhosePortsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := resting(t)
		s := serving(t, r)
		time.Sleep(time.Second)
		r.sync(t)
		sets := s.sets.Load()
		rep := r.plug(t, "vm1")
		if !rep.Glanced() || !slices.Contains(r.journal, "update lab") || s.sets.Load() != sets || rep.Services[0].Ports["vm1"] != "vm1" {
			t.Errorf("the servers of the network were not told of its port alone: %v", r.journal)
		}
		r.change(t, func() { s.problems = map[string][]string{"network/lab": {"no socket"}} })
		if rep := r.plug(t, "vm2"); rep.Glanced() || !rep.Degraded {
			t.Error("what cannot be served is not told")
		}
	})
}
