package manage

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

const lab = "networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}\n"

// applies tells what files do to what is there.
var applies = []struct {
	name  string
	setup func(r *rig)
	file  string
	want  string            // what the answer says of the objects
	is    map[string]string // networks, how they are afterwards
	check func(r *rig)
}{
	{name: "nothing", file: "networks: {}", want: ""},
	{name: "a new network starts", file: lab, want: "network/lab created", is: map[string]string{"lab": "running persistent"}},
	{name: "one that is not to start by itself", file: "networks: {lab: {mode: isolated, autostart: false}}",
		want: "network/lab created", is: map[string]string{"lab": "inactive persistent"}},
	{name: "one on demand", file: "networks: {lab: {mode: isolated, onDemand: true}}",
		want: "network/lab created", is: map[string]string{"lab": "on demand persistent"}},
	{name: "one on demand with a port", file: "networks: {lab: {mode: isolated, onDemand: true}}\nports: {vm1: {network: lab}}",
		want: "network/lab created, port/vm1 created", is: map[string]string{"lab": "running persistent"},
		check: func(r *rig) { r.plugged("vm1", "lab") }},
	{name: "as defined, but it does not run", setup: func(r *rig) { r.define(lab) }, file: lab,
		want: "network/lab started", is: map[string]string{"lab": "running persistent"}},
	{name: "as defined, but it runs in another way", setup: func(r *rig) {
		r.apply("networks: {lab: {mode: isolated}}")
		r.define(lab)
		r.is("lab", "running persistent pending")
	}, file: lab, want: "network/lab changed", is: map[string]string{"lab": "running persistent"}},
	{name: "as defined and stopped, not to start by itself", setup: func(r *rig) { r.define("networks: {lab: {mode: isolated, autostart: false}}") },
		file: "networks: {lab: {mode: isolated, autostart: false}}", want: "network/lab unchanged", is: map[string]string{"lab": "inactive persistent"}},
	{name: "not to start by itself, but it runs", setup: func(r *rig) {
		r.define("networks: {lab: {mode: isolated, autostart: false}}")
		r.ok(r.Start(r.t.Context(), "lab"))
	}, file: "networks: {lab: {mode: nat, autostart: false, subnets: [{address: 10.2.0.1/24}]}}", want: "network/lab changed",
		is: map[string]string{"lab": "running persistent"}, check: func(r *rig) { r.row("from", "lab : jump from_nat") }},
	{name: "on demand from now on, without a port", setup: func(r *rig) { r.apply("networks: {lab: {mode: isolated}}") },
		file: "networks: {lab: {mode: isolated, onDemand: true}}", want: "network/lab changed", is: map[string]string{"lab": "on demand persistent"}},
	{name: "on demand from now on, with a port", setup: func(r *rig) { r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab}}") },
		file: "networks: {lab: {mode: isolated, onDemand: true}}", want: "network/lab changed", is: map[string]string{"lab": "running persistent"},
		check: func(r *rig) { r.plugged("vm1", "lab") }},
	{name: "on demand no more", setup: func(r *rig) { r.apply("networks: {lab: {mode: isolated, onDemand: true}}") },
		file: "networks: {lab: {mode: isolated}}", want: "network/lab changed", is: map[string]string{"lab": "running persistent"}},
	{name: "from a bridge of ours to one of the host", setup: func(r *rig) {
		r.apply("networks: {lab: {mode: isolated}}\nbridges: {br0: {}}\nports: {vm1: {network: lab}}")
	}, file: "networks: {lab: {mode: bridge, bridge: {name: br0}}}", want: "network/lab changed", is: map[string]string{"lab": "running persistent"},
		check: func(r *rig) { r.gone("lab"); r.plugged("vm1", "br0") }},
	{name: "and back", setup: func(r *rig) {
		r.apply("networks: {lab: {mode: bridge, bridge: {name: br0}}}\nbridges: {br0: {}}\nports: {vm1: {network: lab}}")
	}, file: "networks: {lab: {mode: isolated}}", want: "network/lab changed", is: map[string]string{"lab": "running persistent"},
		check: func(r *rig) { r.plugged("vm1", "lab") }},
	{name: "a port moves", setup: func(r *rig) {
		r.apply("networks: {a: {mode: isolated}, b: {mode: isolated}}\nports: {vm1: {network: a}}")
	},
		file: "ports: {vm1: {network: b}}", want: "port/vm1 changed", check: func(r *rig) { r.plugged("vm1", "b") }},
	{name: "a port moves from one on demand to another", setup: func(r *rig) {
		r.apply("networks: {a: {mode: isolated, onDemand: true}, b: {mode: isolated, onDemand: true}}\nports: {vm1: {network: a}}")
	}, file: "ports: {vm1: {network: b}}", want: "port/vm1 changed",
		is:    map[string]string{"a": "on demand persistent", "b": "running persistent"},
		check: func(r *rig) { r.plugged("vm1", "b") }},
	{name: "an unchanged network stops because its port moves", setup: func(r *rig) {
		r.apply("networks: {a: {mode: isolated, onDemand: true}, b: {mode: isolated}}\nports: {vm1: {network: a}}")
	}, file: "networks: {a: {mode: isolated, onDemand: true}}\nports: {vm1: {network: b}}", want: "network/a stopped, port/vm1 changed",
		is: map[string]string{"a": "on demand persistent"}},
	{name: "a port of a network that does not run", setup: func(r *rig) { r.define("networks: {lab: {mode: isolated}}") },
		file: "ports: {vm1: {network: lab}}", want: "port/vm1 created", is: map[string]string{"lab": "inactive persistent"},
		check: func(r *rig) { r.plugged("vm1", "") }},
	{name: "a transient network is kept from now on", setup: func(r *rig) { r.create("networks: {lab: {mode: isolated, autostart: false}}") },
		file: "networks: {lab: {mode: isolated, autostart: false}}", want: "network/lab created", is: map[string]string{"lab": "running persistent"}},
	{name: "a transient port is kept from now on", setup: func(r *rig) { r.apply("networks: {a: {mode: isolated}, b: {mode: isolated}}"); r.add("~vm1 a") },
		file: "ports: {vm1: {network: b}}", want: "port/vm1 created", check: func(r *rig) {
			r.plugged("vm1", "b")
			if running, err := r.disk.Running(); err != nil || len(running.Ports) > 0 {
				r.t.Errorf("still transient: %v, %v", running.Ports, err)
			}
		}},
	{name: "an empty list is no list", setup: func(r *rig) { r.apply(lab) },
		file: "networks: {lab: {mode: nat, labels: {}, routes: [], subnets: [{address: 10.2.0.1/24}]}}", want: "network/lab unchanged"},
}

// plugged checks the bridge of an interface, "" for none.
func (r *rig) plugged(name, bridge string) {
	r.t.Helper()
	if l, there := r.host.link(name); !there || l.Master != bridge {
		r.t.Errorf("interface %s is there: %v, on bridge %q, want %q", name, there, l.Master, bridge)
	}
}

func (r *rig) gone(link string) {
	r.t.Helper()
	if _, there := r.host.link(link); there {
		r.t.Errorf("interface %s is still there", link)
	}
}

func (r *rig) row(set, text string) {
	r.t.Helper()
	if row := "element " + set + " { " + text + " }\n"; !strings.Contains(r.host.String(), row) {
		r.t.Errorf("the host has no %s", row)
	}
}

// TestApply applies each file dry, for good, and once more. Dry it must change
// nothing and tell what the real one does; the second time there is nothing to do.
func TestApply(t *testing.T) {
	t.Parallel()
	for _, c := range applies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.setup != nil {
				c.setup(r)
			}
			var dry api.ApplyResult
			r.untouched(func() {
				var err error
				dry, err = r.try(true, c.file)
				r.ok(err)
			})
			result := r.apply(c.file)
			if got := verbsOf(result); got != c.want {
				t.Errorf("did %q, want %q", got, c.want)
			}
			if d := cmp.Diff(maskMACs(dry), maskMACs(result)); d != "" {
				t.Errorf("-told +done:\n%s", d)
			}
			for name, want := range c.is {
				r.is(name, want)
			}
			if c.check != nil {
				c.check(r)
			}
			r.settled()
			r.untouched(func() {
				again := r.apply(c.file)
				if len(again.Ops) > 0 || slices.ContainsFunc(again.Objects, func(c api.Change) bool { return c.Verb != "unchanged" }) {
					t.Errorf("the second time: %s, %q", verbsOf(again), again.Ops)
				}
			})
		})
	}
}

// maskMACs hides the random addresses of new ports.
func maskMACs(result api.ApplyResult) api.ApplyResult {
	result.Ops = slices.Clone(result.Ops)
	for i, op := range result.Ops {
		if before, after, found := strings.Cut(op, "type tap mac "); found {
			result.Ops[i] = before + after[len("52:54:00:00:00:00"):]
		}
	}
	return result
}

// What was generated when an object was first defined stays, whoever defines it
// anew without naming it.
func TestGeneratedValuesStay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab}, vm2: {network: lab, type: veth}}")
	before, err := r.world()
	r.ok(err)
	n, p, v := before.defined.Networks["lab"], before.defined.Ports["vm1"], before.defined.Ports["vm2"]
	if n.UUID == "" || n.Bridge.Name == "" || p.MAC.IsZero() || p.Interface == "" || v.Peer == "" {
		t.Fatalf("not generated: %+v %+v %+v", n, p, v)
	}
	for _, file := range []string{
		"networks: {lab: {mode: isolated, title: anew}}",
		"networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}\nports: {vm1: {network: lab}, vm2: {network: lab, type: veth}}",
		"ports: {vm1: {network: lab, type: veth}, vm2: {network: lab}}", // another type: the guest keeps its address
	} {
		r.apply(file)
		now, err := r.world()
		r.ok(err)
		m, q, w := now.defined.Networks["lab"], now.defined.Ports["vm1"], now.defined.Ports["vm2"]
		if m.UUID != n.UUID || m.Bridge.Name != n.Bridge.Name || q.MAC != p.MAC || q.Interface != p.Interface || w.MAC != v.MAC {
			t.Errorf("after %s: %+v %+v %+v", file, m, q, w)
		}
		r.settled()
	}
	r.define("networks: {lab: {mode: isolated, bridge: {name: other}}}")
	if now, _ := r.world(); now.defined.Networks["lab"].UUID != n.UUID || now.defined.Networks["lab"].Bridge.Name != "other" {
		t.Errorf("defined anew: %+v", now.defined.Networks["lab"])
	}
}

// A definition written by hand keeps its comments as long as nothing else is
// asked for.
func TestUnchangedDefinitionIsNotRewritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const text = "# the lab\nnetworks:\n  lab: {mode: isolated, uuid: 0c9d7a5e-6c3c-4f0e-9a3e-0d8f3c0a1b2c}\n"
	r.edit("networks/lab.yaml", text)
	if got := verbsOf(r.apply("networks: {lab: {mode: isolated}}")); got != "network/lab started" {
		t.Errorf("did %s", got)
	}
	r.add("vm1 lab")
	if now := r.text("networks/lab.yaml"); now != text {
		t.Errorf("it is now\n%s", now)
	}
}

// What the host refuses to make stays wanted; what is not to blame is made.
func TestApplyTellsWhatTheHostRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.change(func() { r.host.refuse = "add link bad " })
	result, err := r.try(false, "networks: {bad: {mode: isolated}, good: {mode: isolated}}")
	r.ok(err)
	if !strings.Contains(result.Problems["network/bad"], "refused") || len(result.Problems) != 1 {
		t.Errorf("problems: %v", result.Problems)
	}
	r.is("good", "running persistent")
	r.ok(r.Pause(t.Context(), true)) // else the loop may be faster
	r.host.change(func() { r.host.refuse = "" })
	if result := r.apply("networks: {bad: {mode: isolated}}"); verbsOf(result) != "network/bad unchanged" || len(result.Ops) == 0 {
		t.Errorf("the second time: %s, %q", verbsOf(result), result.Ops)
	}
	r.is("bad", "running persistent")
}

// A preview tells of conflicts, too, and of what has to wait.
func TestDryRunTellsProblemsAndWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.add(stranger("virbr0", "bridge"))
	r.untouched(func() {
		result, err := r.try(true, "networks: {lab: {mode: isolated, bridge: {name: virbr0}}, lan: {mode: bridge, bridge: {name: br7}}}")
		r.ok(err)
		if !strings.Contains(result.Problems["network/lab"], "virbr0 exists") || !strings.Contains(result.Waits["network/lan"], "waits for bridge br7") {
			t.Errorf("problems %v, waits %v", result.Problems, result.Waits)
		}
	})
}

// What runs goes on with a subnet that the host has taken up since; nothing new
// begins to use it.
func TestSubnetInUse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab)
	r.host.add(address("eth0", "10.2.0.99/24"), address("eth0", "10.3.0.99/24"), address("eth0", "10.4.0.99/24"))
	r.apply("networks: {lab: {mode: nat, title: changed, subnets: [{address: 10.2.0.1/24}]}}")
	r.untouched(func() {
		_, err := r.try(false, "networks: {x: {mode: isolated}}\n", "networks:\n  lab:\n    mode: nat\n    subnets: [{address: 10.3.0.1/24}]\n")
		r.refused(err, api.CodeConflict, "1 problem; nothing was changed", "b.yaml:4:25: networks.lab.subnets[0].address",
			"10.3.0.0/24 is in use on this host: address 10.3.0.99/24 on eth0", "192.168.100.1/24 is free")
		_, err = r.try(false, "networks: {l6: {mode: isolated, subnets: [{address: 10.3.0.1/25}, {address: 192.0.2.129/25}]}}")
		r.refused(err, api.CodeConflict, "2 problems")
	})
	if _, err := r.try(false, "networks: {later: {mode: isolated, autostart: false, subnets: [{address: 10.3.0.1/24}]}}"); err != nil {
		t.Errorf("it does not start: %v", err)
	}
	r.untouched(func() { r.refused(r.Start(t.Context(), "later"), api.CodeConflict, "10.3.0.0/24 is in use") })
	r.ok(r.Stop(t.Context(), "lab"))
	r.untouched(func() { r.refused(r.Start(t.Context(), "lab"), api.CodeConflict, "10.2.0.0/24 is in use") })
	r.define("networks: {od: {mode: isolated, onDemand: true, subnets: [{address: 10.4.0.1/24}]}}")
	r.untouched(func() {
		_, err := r.AddPort(t.Context(), api.AddPort{Port: &spec.Port{Network: "od"}})
		r.refused(err, api.CodeConflict, "10.4.0.0/24 is in use")
	})
}

// A network runs beside others as they run, not as they are defined.
func TestRunningCopyIsNotRunInto(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab)
	r.define("networks: {lab: {mode: nat, subnets: [{address: 10.7.0.1/24}]}}") // from its next start
	r.define("networks: {other: {mode: isolated, subnets: [{address: 10.2.0.1/24}]}}")
	r.untouched(func() {
		r.refused(r.Start(t.Context(), "other"), api.CodeConflict, "overlaps 10.2.0.1/24 of network \"lab\"")
	})
	r.ok(r.Stop(t.Context(), "lab"))
	r.ok(r.Start(t.Context(), "other"))
	r.ok(r.Start(t.Context(), "lab"))
	r.settled()
}
