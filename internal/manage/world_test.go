package manage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// A slip in a file changes nothing on the host: neither the
// object of the file nor any other, whatever is asked for meanwhile.
func TestSlipInAFileTakesNothingAway(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"networks/lab.yaml", "networks/od.yaml", "ports/vm1.yaml", "ports/vm2.yaml", "bridges/br0.yaml"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.apply("networks: {lab: {mode: isolated}, od: {mode: isolated, onDemand: true}}\n" +
				"ports: {vm1: {network: lab}, vm2: {network: od}, vm3: {network: lab}}\nbridges: {br0: {ports: [eth0]}}")
			text := r.text(path)
			const slip = "oops: ["
			r.edit(path, slip)
			r.untouched(func() {
				r.engine.Wake()
				_, err := r.engine.Sync(t.Context())
				r.ok(err)
			})
			st, err := r.Status(t.Context())
			r.ok(err)
			if !strings.Contains(strings.Join(st.Problems, "\n"), path+":1") {
				t.Errorf("problems are %q", st.Problems)
			}
			r.add("vm4 lab") // other things go on
			r.ok(r.Delete(t.Context(), "port", "vm3"))
			r.gone("vm3")
			r.plugged("vm1", "lab")
			r.plugged("vm2", "od")
			r.plugged("eth0", "br0")
			if r.text(path) != slip {
				t.Error("the file was written over")
			}
			r.edit(path, text)
			r.untouched(func() {})
			r.ok(os.Remove(filepath.Join(r.dirs.Config, "ports/vm1.yaml"))) // that is no slip
			r.engine.Wake()
			r.settled()
			r.gone("vm1")
		})
	}
}

// How a network runs is known without its definition: it can be stopped.
func TestWhatCannotBeReadIsToldAndStops(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab}}")
	r.edit("ports/vm1.yaml", "ports: [")
	r.edit("networks/lab.yaml", "networks: [")
	n, err := r.Network(t.Context(), "lab")
	r.ok(err)
	if !n.Status.Persistent || len(n.Status.Problems) != 1 || !strings.Contains(n.Status.Problems[0], "lab.yaml:1") {
		t.Errorf("problems are %q, persistent %v", n.Status.Problems, n.Status.Persistent)
	}
	if p := r.add(" lab"); p.Name != "lab-1" {
		t.Errorf("the port is named %s", p.Name)
	}
	r.edit("ports/lab-1.yaml", "ports: [")
	if p := r.add(" lab"); p.Name != "lab-2" {
		t.Errorf("the port is named %s", p.Name)
	}
	r.refused(r.Undefine(t.Context(), "lab"), api.CodeConflict, "network/lab cannot be read")
	r.ok(r.Stop(t.Context(), "lab"))
	r.settled()
	r.gone("lab")
	_, err = r.Network(t.Context(), "lab")
	r.refused(err, api.CodeConflict, "network/lab cannot be read")
	_, err = r.Export(t.Context(), "network", "lab")
	r.refused(err, api.CodeConflict, "network/lab cannot be read")
	r.refused(r.Delete(t.Context(), "port", "vm1"), api.CodeConflict, "port/vm1 cannot be read")
	r.ok(os.Remove(filepath.Join(r.dirs.Config, "ports/vm1.yaml")))
	_, err = r.engine.Sync(t.Context())
	r.ok(err)
	r.gone("vm1")
}

// After a restart nobody knows how an unreadable network was defined, but how it
// runs is known.
func TestNetworkRunsOnOverARestartWithASlip(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok(r.Boot())
	r.apply("networks: {lab: {mode: isolated}}")
	r.edit("networks/lab.yaml", "networks: [")
	r.untouched(func() {
		next := &rig{t: t, host: r.host, guests: r.guests, kernel: r.kernel, dirs: r.dirs}
		next.boot()
		if err := next.Boot(); err == nil || !strings.Contains(err.Error(), "lab.yaml:1") {
			t.Errorf("boot says %v", err)
		}
		next.is("lab", "running persistent")
		next.settled()
		next.refused(next.Undefine(t.Context(), "lab"), api.CodeConflict, "network/lab cannot be read")
	})
}

// Run marks are the daemon's own. When one cannot be read it does not know what
// runs, and touches nothing.
func TestUnreadableRunMarkFreezesTheHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab + "ports: {vm1: {network: lab}}")
	mark := filepath.Join(r.dirs.Runtime, "running", "networks", "lab.yaml")
	text, err := os.ReadFile(mark)
	r.ok(err)
	state := r.host.String()
	r.ok(os.WriteFile(mark, []byte("{"), 0o644))
	if _, err := r.engine.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), mark) {
		t.Errorf("a pass says %v", err)
	}
	r.refused(r.Stop(t.Context(), "lab"), api.CodeInternal, mark)
	r.refused(r.Delete(t.Context(), "port", "vm1"), api.CodeInternal, mark)
	if r.host.String() != state {
		t.Error("the host changed")
	}
	r.ok(os.WriteFile(mark, text, 0o644))
	r.ok(r.Stop(t.Context(), "lab"))
	r.settled()
}

// A store that is not there at all is an error, and no panic.
func TestStoreThatIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab)
	state := r.host.String()
	r.ok(os.RemoveAll(filepath.Join(r.dirs.Config, "ports")))
	for i, do := range []func() error{
		r.Boot, func() error { return r.Stop(t.Context(), "lab") }, func() error { _, err := r.try(false, lab); return err },
		func() error { _, err := r.Networks(t.Context()); return err }, func() error { _, err := r.Export(t.Context(), "", ""); return err },
		func() error { _, err := r.engine.Sync(t.Context()); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "read store") {
			t.Errorf("request %d says %v", i, err)
		}
	}
	if r.host.String() != state {
		t.Error("the host changed")
	}
}

// TestBoot tells what runs after a reboot, and after a restart of the daemon
// alone, which changes nothing.
func TestBoot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok(r.Boot())
	r.apply("networks: {auto: {mode: isolated}, hand: {mode: isolated, autostart: false}, od: {mode: isolated, onDemand: true}, used: {mode: isolated, onDemand: true}}\n" +
		"ports: {vm1: {network: used}}")
	r.ok(r.Stop(t.Context(), "auto"))
	r.ok(r.Start(t.Context(), "hand"))
	r.untouched(func() { r.ok(r.Boot()) })
	next := r.boots(func() {
		r.edit("networks/odd.yaml", "networks: {odd: {mode: isolated, subnets: [{address: 10.9.0.9/24}]}}")
		r.edit("networks/one.yaml", "networks: {one: {mode: isolated, subnets: [{address: 10.9.0.1/24}]}}")
		r.edit("networks/two.yaml", "networks: {two: {mode: isolated, subnets: [{address: 10.8.0.1/24}]}}")
	})
	if err := next.Boot(); err == nil || !strings.Contains(err.Error(), "networks.one.subnets[0].address: 10.9.0.1/24 overlaps") {
		t.Errorf("boot says %v", err)
	}
	_, err := next.engine.Sync(t.Context())
	r.ok(err)
	for name, want := range map[string]string{"auto": "running persistent", "hand": "inactive persistent", "od": "on demand persistent",
		"used": "running persistent", "odd": "running persistent", "one": "inactive persistent", "two": "running persistent"} {
		next.is(name, want)
	}
	next.settled()
}

// A boot after a crash between writing a port and starting its network, or between
// deleting the last one and stopping it, ends as it should.
func TestBootMendsOnDemandNetworks(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.ok(r.Boot())
	r.apply("networks: {a: {mode: isolated, onDemand: true}, b: {mode: isolated, onDemand: true}}\nports: {vm1: {network: a}}")
	r.edit("ports/vm2.yaml", "ports: {vm2: {network: b}}")
	r.ok(r.disk.Undefine("ports", "vm1"))
	r.ok(r.Boot())
	_, err := r.engine.Sync(t.Context())
	r.ok(err)
	r.is("a", "on demand persistent")
	r.is("b", "running persistent")
}

// Every problem of every file is told, in the file it is in.
func TestProblemsOfSeveralFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {there: {mode: isolated, subnets: [{address: 10.9.0.1/24}]}}")
	for _, c := range []struct {
		files []string
		want  []string // one a problem
	}{
		{[]string{"networks:\n  a: {mode: natt}\n", "ports:\n  p: {network: a}\n  q: {network: z}\n"},
			[]string{"a.yaml:2:13: networks.a.mode", "b.yaml:3:16: ports.q.network"}},
		{[]string{"networks:\n  a: {mode: isolated}\n", "networks:\n  b: {mode: isolated}\n  a: {mode: isolated}\n"},
			[]string{"network/a is in a.yaml and in b.yaml"}},
		{[]string{"networks:\n  a: {mode: isolated, subnets: [{address: 10.8.0.1/24}]}\n", "networks:\n  b: {mode: isolated, subnets: [{address: 10.8.0.1/24}]}\n"},
			[]string{"a.yaml:2:43", "b.yaml:2:43"}},
		{[]string{"networks:\n  ok: {mode: isolated}\n", "networks:\n  b: {mode: isolated, subnets: [{address: 10.9.0.9/24}]}\n"},
			[]string{"b.yaml:2:43"}},
		{[]string{"networks:\n  n: {mode: isolated}\nports:\n  p: {network: n, owner: nobody-here}\n  q: {network: n, owner: nobody-there}\n"},
			[]string{"a.yaml:4:26: ports.p.owner: find user nobody-here", "a.yaml:5:26: ports.q.owner"}},
	} {
		r.untouched(func() {
			_, err := r.try(false, c.files...)
			r.refused(err, api.CodeInvalid, "nothing was changed")
			e, _ := err.(*api.Error)
			if e == nil || len(e.Problems) != len(c.want) {
				t.Fatalf("%q: got %v, want %d problems", c.files, err, len(c.want))
			}
			for i, want := range c.want {
				if !strings.Contains(e.Problems[i].Text, want) {
					t.Errorf("problem %d is\n%s\nand does not say %s", i, e.Problems[i].Text, want)
				}
			}
		})
	}
}

// A definition that makes another one, in no file of the request, wrong is
// refused, too.
func TestProblemsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated, subnets: [{address: 10.2.0.1/24}]}}\nports: {vm1: {network: lab, addresses: [10.2.0.9]}}")
	r.untouched(func() {
		_, err := r.try(false, "networks: {lab: {mode: isolated, subnets: [{address: 10.3.0.1/24}]}}")
		r.refused(err, api.CodeInvalid, "ports.vm1.addresses[0]")
	})
	r.apply("networks: {lab: {mode: isolated, subnets: [{address: 10.3.0.1/24}]}}\nports: {vm1: {network: lab, addresses: [10.3.0.9]}}")
	r.settled()
	if w, err := r.world(); err != nil || len(w.all().Validate()) > 0 || w.defined.Ports["vm1"].Type != spec.Tap {
		t.Errorf("%v, %v", w.all().Validate(), err)
	}
}
