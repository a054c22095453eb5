package manage

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

const before = "networks: {lab: {mode: isolated}, off: {mode: isolated, autostart: false}, od: {mode: isolated, onDemand: true}, od2: {mode: isolated, onDemand: true}}\n" +
	"ports: {vm1: {network: lab}, vm2: {network: od}}\nbridges: {br0: {}}\n"

// writers are the requests that write several files.
var writers = []struct {
	name string
	do   func(r *rig) error
	adds bool // and only adds: a full disk leaves nothing of it
}{
	{"apply what is new", func(r *rig) error {
		_, err := r.try(false, "networks: {a: {mode: isolated}, b: {mode: isolated}}\nports: {p1: {network: a}, p2: {network: od2}}\nbridges: {br1: {}}")
		return err
	}, true},
	{"apply changes", func(r *rig) error {
		_, err := r.try(false, "networks: {lab: {mode: isolated, title: t}, off: {mode: isolated}, new: {mode: isolated}}\nports: {vm2: {network: od2}, vm1: {network: off}}\nbridges: {br0: {mtu: 1400}}")
		return err
	}, false},
	{"add and start a network", func(r *rig) error { return addNetwork(r, "new", spec.Network{Mode: spec.Isolated}, true) }, false},
	{"start", func(r *rig) error { return r.Start(r.t.Context(), "off") }, true},
	{"stop", func(r *rig) error { return r.Stop(r.t.Context(), "lab") }, false},
	{"undefine", func(r *rig) error { return r.Undefine(r.t.Context(), "lab") }, false},
	{"define", func(r *rig) error { return defineFile(r, "networks: {lab: {mode: isolated, title: t}}", false) }, true},
	{"create", func(r *rig) error { return defineFile(r, "networks: {tmp: {mode: isolated}}", true) }, true},
	{"define XML", func(r *rig) error { _, err := r.defineXML(xmlOf("new", ""), false); return err }, true},
	{"update both copies", func(r *rig) error {
		_, err := r.UpdateNetwork(r.t.Context(), "lab", api.NetworkUpdate{Copies: api.Copies{Live: true, Config: true},
			Command: "add", Section: "ip", Parent: -1, XML: "<ip address='10.6.0.1' netmask='255.255.255.0'/>"})
		return err
	}, false},
	{"describe both copies", func(r *rig) error {
		title := "t"
		return r.DescribeNetwork(r.t.Context(), "lab", api.NetworkWords{Copies: api.Copies{Live: true, Config: true}, Title: &title})
	}, false},
	{"add a port in libvirt's words", func(r *rig) error {
		_, err := r.addXML("od2", portXML(portUUID, "p1", "52:54:00:7b:35:93"))
		return err
	}, true},
	{"change autostart", func(r *rig) error { return r.SetAutostart(r.t.Context(), "lab", false) }, false},
	{"add the first port", func(r *rig) error { return addPort(r, "p1", spec.Port{Network: "od2"}) }, true},
	{"delete the last port", func(r *rig) error { return r.Delete(r.t.Context(), "port", "vm2") }, false},
	{"delete a bridge", func(r *rig) error { return r.Delete(r.t.Context(), "bridge", "br0") }, false},
}

// TestFullDiskHalvesNothing lets the first write of each request fail, then the
// second, and so on: definitions, marks and host are as before each time.
func TestFullDiskHalvesNothing(t *testing.T) {
	t.Parallel()
	for _, w := range writers {
		for _, stays := range []bool{false, true} {
			if stays && !w.adds {
				continue // what was replaced cannot be put back; see below
			}
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				writes := 0
				for k := 1; ; k++ {
					r := newRig(t)
					r.apply(before)
					disk := &full{keeper: r.disk, left: k, stays: stays}
					r.keep(disk)
					if w.name == "add and start a network" && k > 1 {
						break // the definition is one request's, the start another's
					}
					var err error
					if wrote := r.undisturbed(disk, func() { err = w.do(r) }); !wrote {
						r.ok(err)
						break
					}
					r.refused(err, api.CodeInternal, "no space left")
					writes++
				}
				if writes == 0 {
					t.Error("nothing was ever written")
				}
			})
		}
	}
}

// undisturbed does something; when the disk failed it must have changed nothing.
// It reports whether the disk failed.
func (r *rig) undisturbed(disk *full, do func()) bool {
	r.t.Helper()
	r.settled()
	tree, state := r.tree(), r.host.String()
	do()
	if !disk.fired {
		return false
	}
	r.settled()
	if d := cmp.Diff(tree, r.tree()); d != "" {
		r.t.Errorf("write %d: the disk changed, -before +after:\n%s", disk.left, d)
	}
	if d := cmp.Diff(state, r.host.String()); d != "" {
		r.t.Errorf("write %d: the host changed, -before +after:\n%s", disk.left, d)
	}
	return true
}

// What cannot be put back either is named; a later apply makes it whole.
func TestFullDiskThatStaysFullSaysWhatIsHalfDone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(before)
	const file = "networks: {lab: {mode: isolated, title: t}, od: {mode: isolated, onDemand: true, title: t}}"
	r.keep(&full{keeper: r.disk, left: 2, stays: true})
	_, err := r.try(false, file)
	r.refused(err, api.CodeInternal, "no space left", "put network/od, network/lab back as it was")
	r.keep(r.disk)
	r.apply(file)
	r.is("lab", "running persistent")
	r.is("od", "running persistent")
	r.settled()
}

// A start that nobody waits for any more is taken back; an apply, which is stored
// by then, is carried out by the loop.
func TestClientThatGoesHalfWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(before)
	r.settled()
	tree := r.tree()
	r.abandoned(func(ctx context.Context) error { return r.Start(ctx, "off") })
	if d := cmp.Diff(tree, r.tree()); d != "" {
		t.Errorf("the disk changed, -before +after:\n%s", d)
	}
	r.settled()
	r.gone("off")
	r.abandoned(func(ctx context.Context) error {
		_, err := r.Apply(ctx, api.ApplyRequest{Files: []api.File{{Name: "a.yaml", Text: "networks: {new: {mode: isolated}}"}}})
		return err
	})
	r.eventually("the network that was stored", func() bool { _, there := r.host.link("new"); return there })
}

// abandoned makes a request whose client goes when the store has been written and
// the loop is busy with something else.
func (r *rig) abandoned(do func(ctx context.Context) error) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	gate := make(chan struct{})
	r.keep(&signal{keeper: r.disk, written: func() {
		r.host.change(func() { r.host.gate = gate })
		r.engine.Wake()
		r.eventually("a loop that is busy", func() bool { return r.asking.Load() || r.host.waits.Load() })
		cancel()
	}})
	if err := do(ctx); err == nil {
		r.t.Error("the request was done")
	}
	r.host.change(func() { r.host.gate = nil })
	r.host.waits.Store(false)
	close(gate)
	r.keep(r.disk)
}

// signal is a store that tells when a run mark was written first.
type signal struct {
	keeper
	written func()
}

func (s *signal) Run(objs *spec.Spec) error {
	err := s.keeper.Run(objs)
	if s.written != nil {
		s.written()
		s.written = nil
	}
	return err
}

func TestEventsTellWhatHappened(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.events.listen()
	defer r.events.leave(c)
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { r.apply("networks: {lab: {mode: isolated}, od: {mode: isolated, onDemand: true}}") }, "created network/lab, created network/od, started network/lab"},
		{func() { r.apply("networks: {lab: {mode: isolated, title: t}}") }, "changed network/lab"},
		{func() { r.apply("networks: {lab: {mode: isolated, title: t}}") }, ""},
		{func() { r.define("networks: {lab: {mode: isolated}}") }, "changed network/lab"},
		{func() { r.ok(r.SetAutostart(t.Context(), "lab", false)) }, "changed network/lab"},
		{func() { r.add("~vm1 od") }, "created port/vm1, started network/od"},
		{func() { r.apply("ports: {vm1: {network: od}}") }, "created port/vm1"},
		{func() { r.ok(r.Delete(t.Context(), "port", "vm1")) }, "deleted port/vm1, stopped network/od"},
		{func() { r.ok(r.Undefine(t.Context(), "lab")) }, "deleted network/lab"},
		{func() { r.ok(r.Stop(t.Context(), "lab")) }, "stopped network/lab"},
		{func() { r.ok(addNetwork(r, "new", spec.Network{Mode: spec.Isolated}, true)) }, "created network/new, started network/new"},
		{func() {
			r.host.change(func() { r.host.refuse = "add link x " })
			addPort(r, "x", spec.Port{Network: "od"})
		}, ""},
	} {
		step.do()
		var got []string
		for len(c) > 0 {
			if e := <-c; !slices.Contains([]string{"progress", "applied", "repaired", "problem"}, e.Type) {
				got = append(got, e.Type+" "+e.Object)
			}
		}
		slices.Sort(got)
		want := strings.Split(step.want, ", ")
		slices.Sort(want)
		if strings.Join(got, ", ") != strings.Join(want, ", ") {
			t.Errorf("told %q, want %q", got, want)
		}
	}
}

// What libvirt tells of the life of a network, at the times when it tells it.
func TestLifeOfANetworkIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.events.listen()
	defer r.events.leave(c)
	title := "t"
	for _, step := range []struct {
		name string
		do   func()
		want string
	}{
		{"defined", func() { r.define("networks: {lab: {mode: isolated, autostart: false}}") }, "Defined lab"},
		{"defined as before", func() { r.define("networks: {lab: {mode: isolated, autostart: false}}") }, "Defined lab"},
		{"defined anew", func() { r.define("networks: {lab: {mode: isolated, autostart: false, bridge: {mtu: 1400}}}") }, "Defined lab"},
		{"started", func() { r.ok(r.Start(t.Context(), "lab")) }, "Started lab"},
		{"defined while it runs", func() { r.define("networks: {lab: {mode: isolated, autostart: false}}") }, "Defined lab"},
		{"autostart", func() { r.ok(r.SetAutostart(t.Context(), "lab", true)) }, ""},
		{"a title", func() { r.ok(r.DescribeNetwork(t.Context(), "lab", api.NetworkWords{Title: &title})) }, ""},
		{"undefined", func() { r.ok(r.Undefine(t.Context(), "lab")) }, "Undefined lab"},
		{"stopped", func() { r.ok(r.Stop(t.Context(), "lab")) }, "Stopped lab"},
		{"created", func() { r.create("networks: {tmp: {mode: isolated}}") }, "Started tmp"},
		{"kept", func() { r.define("networks: {tmp: {mode: isolated}}") }, "Defined tmp"},
		{"applied", func() { r.apply("networks: {a: {mode: isolated}, b: {mode: isolated, autostart: false}}") }, "Defined a, Defined b, Started a"},
		{"applied in another way", func() { r.apply("networks: {a: {mode: isolated, title: t}}") }, "Defined a"},
		{"applied as it is defined", func() {
			r.define("networks: {a: {mode: isolated}}")
			r.apply("networks: {a: {mode: isolated}}")
		}, "Defined a"},
		{"a port", func() { r.add("vm1 a") }, ""},
	} {
		step.do()
		var got []string
		for len(c) > 0 {
			if e := <-c; e.Life != "" {
				got = append(got, e.Life+" "+strings.TrimPrefix(e.Object, "network/"))
			}
		}
		if strings.Join(got, ", ") != step.want {
			t.Errorf("%s: told %q, want %q", step.name, got, step.want)
		}
	}
}

// Who hears that a network has started finds it on the host.
func TestStartIsToldWhenItIsDone(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(r *rig){
		"start": func(r *rig) {
			r.define("networks: {lab: {mode: isolated}}")
			r.ok(r.Start(t.Context(), "lab"))
		},
		"apply":  func(r *rig) { r.apply("networks: {lab: {mode: isolated}}") },
		"create": func(r *rig) { r.create("networks: {lab: {mode: isolated}}") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c := r.events.listen()
			defer r.events.leave(c)
			start(r)
			seen := ""
			for len(c) > 0 {
				switch e := <-c; e.Type {
				case "applied":
					seen += "a"
				case "started":
					seen += "s"
				}
			}
			if !strings.HasPrefix(seen, "a") || !strings.HasSuffix(seen, "as") {
				t.Errorf("applied and started came as %q", seen)
			}
		})
	}
}

func TestPassesAreTold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.events.listen()
	defer r.events.leave(c)
	r.host.change(func() { r.host.refuse = "add link bad " })
	_, err := r.try(false, "networks: {bad: {mode: isolated}, lab: {mode: isolated}}")
	r.ok(err)
	seen := map[string]bool{}
	for len(c) > 0 {
		e := <-c
		seen[e.Type+" "+e.Object] = true
		if e.Type == "progress" && (e.Done < 1 || e.Done > e.Total) {
			t.Errorf("progress %d of %d", e.Done, e.Total)
		}
	}
	for _, want := range []string{"progress ", "applied network/lab", "problem network/bad"} {
		if !seen[want] {
			t.Errorf("no event %q among %v", want, seen)
		}
	}
}
