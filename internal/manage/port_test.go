package manage

import (
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestAddPortMakesWhatIsNotGiven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}, {address: 'fd00:2::1/64'}]}, off: {mode: isolated, autostart: false}}")
	one, two, wait := r.add(" lab"), r.add("~ lab"), r.add(" off")
	if one.Name != "lab-1" || two.Name != "lab-2" || wait.Name != "off-1" {
		t.Errorf("names %s, %s, %s", one.Name, two.Name, wait.Name)
	}
	if one.Spec.MAC.IsZero() || one.Spec.MAC == two.Spec.MAC || one.Spec.Type != spec.Tap || one.Spec.Interface == "" {
		t.Errorf("specs %+v, %+v", one.Spec, two.Spec)
	}
	if got := strings.Join(one.Status.Gateways, " "); one.Status.State != "up" || one.Status.MTU != 1500 || one.Status.Bridge != "lab" || got != "10.2.0.1/24 fd00:2::1/64" {
		t.Errorf("status %+v", one.Status)
	}
	if wait.Status.State != "down" || len(wait.Status.Problems) != 1 {
		t.Errorf("a port of a stopped network is %+v", wait.Status)
	}
	again := r.boots(func() {}) // a transient port is gone after a reboot
	if running, _ := again.disk.Running(); len(running.Ports) != 0 {
		t.Errorf("after a reboot: %v", running.Ports)
	}
	if defined, _ := again.disk.Defined(); len(defined.Ports) != 2 {
		t.Errorf("after a reboot: %v", defined.Ports)
	}
}

// A number that no user has is an owner all the same.
func TestPortOwner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab, owner: '3999999999'}, vm2: {network: lab, owner: root}}")
	for name, want := range map[string]string{"vm1": "3999999999", "vm2": "0"} {
		if l, _ := r.host.link(name); l.TapOwner != want {
			t.Errorf("%s belongs to %q, want %s", name, l.TapOwner, want)
		}
	}
}

// What the host refuses leaves nothing: no definition, no mark, no network that
// was started for it.
func TestRefusedByTheHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {od: {mode: isolated, onDemand: true}, off: {mode: isolated, autostart: false}, run: {mode: isolated}}")
	r.host.add(stranger("virbr0", "bridge"), stranger("tap9", "tap"))
	r.ok(r.Pause(t.Context(), true)) // nothing may be left to the loop
	r.untouched(func() {
		r.host.change(func() { r.host.refuse = "add link vm1 " })
		r.refused(addPort(r, "vm1", spec.Port{Network: "od"}), api.CodeInternal, "add port vm1: add link vm1", "refused")
		r.host.change(func() { r.host.refuse = "add link od " })
		r.refused(addPort(r, "vm1", spec.Port{Network: "od"}), api.CodeInternal)
		r.host.change(func() { r.host.refuse = "add link off " })
		r.refused(r.Start(t.Context(), "off"), api.CodeInternal, "start network off: add link off", "refused")
		r.host.change(func() { r.host.refuse = "" })
		r.refused(addPort(r, "x", spec.Port{Network: "run", Interface: "tap9"}), api.CodeConflict, "add port x: interface tap9 exists")
		r.refused(defineFile(r, "networks: {x: {mode: isolated, bridge: {name: virbr0}}}", true), api.CodeConflict, "start network x: interface virbr0 exists")
	})
	r.refused(addNetwork(r, "x", spec.Network{Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "virbr0"}}, true), api.CodeConflict, "virbr0 exists")
	n, err := r.Network(t.Context(), "x") // defined, to be started when the name is free
	r.ok(err)
	if n.Status.State != api.Inactive || !n.Status.Persistent {
		t.Errorf("it is %+v", n.Status)
	}
	r.settled()
}

// Others' troubles are not a request's, and a host that takes no rules at all is
// everybody's.
func TestWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.edit("ports/bad.yaml", "ports: {")
	r.define("networks: {lab: {mode: isolated}}")
	r.host.change(func() { r.host.refuse = "add link bad " })
	_, err := r.try(false, "networks: {bad: {mode: isolated}}")
	r.ok(err)
	r.ok(r.Start(t.Context(), "lab"))
	r.add("vm1 lab")
	r.ok(r.Delete(t.Context(), "port", "vm1"))
	r.ok(r.Stop(t.Context(), "lab"))

	r = newRig(t)
	r.define("networks: {lab: {mode: isolated}}")
	r.host.change(func() { r.host.refuse = "table inet" })
	r.refused(r.Start(t.Context(), "lab"), api.CodeInternal, "start network lab", "table inet kvmnet")
	if running, _ := r.disk.Running(); len(running.Networks) > 0 {
		t.Error("it is marked as running")
	}
}

// What cannot be taken down is not wanted any more, and is told.
func TestHostThatDoesNotLetGo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab}}")
	r.host.change(func() { r.host.refuse = "del link" })
	r.refused(r.Delete(t.Context(), "port", "vm1"), api.CodeInternal, "delete port vm1", "refused")
	r.refused(r.Stop(t.Context(), "lab"), api.CodeInternal, "stop network lab", "refused")
	if _, err := r.Collect(t.Context()); err == nil || !strings.Contains(err.Error(), "port/vm1: del link vm1") {
		t.Errorf("gc says %v", err)
	}
	if list, err := r.Orphans(t.Context()); err != nil || len(list) == 0 {
		t.Errorf("orphans %v, %v", list, err)
	}
	r.host.change(func() { r.host.refuse = "" })
	_, err := r.Collect(t.Context()) // the loop may have been first
	r.ok(err)
	r.gone("lab")
	r.gone("vm1")
	r.settled()
}

func TestDeleteBridgeGivesItsInterfacesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lan: {mode: bridge, bridge: {name: br0}}}\nbridges: {br0: {ports: [eth0]}}")
	r.plugged("eth0", "br0")
	r.refused(r.Delete(t.Context(), "bridge", "br0"), api.CodeConflict, "network lan")
	r.ok(r.Undefine(t.Context(), "lan"))
	r.refused(r.Delete(t.Context(), "bridge", "br0"), api.CodeConflict, "network lan") // it still runs
	r.ok(r.Stop(t.Context(), "lan"))
	r.ok(r.Delete(t.Context(), "bridge", "br0"))
	r.gone("br0")
	r.plugged("eth0", "")
	if list, err := r.Bridges(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("bridges %v, %v", list, err)
	}
}

// Listings show what is defined, what somebody else plugged in, and what is
// wrong.
func TestListings(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}, lan: {mode: bridge, bridge: {name: br0}}}\nbridges: {br0: {ports: [eth0, eth9]}}\nports: {vm1: {network: lab}, vm2: {network: lab}}")
	r.host.add(plan.Link{Name: "qemu0", Type: "tap", Master: "lab", MTU: 1500})
	ports, err := r.Ports(t.Context())
	r.ok(err)
	var got []string
	for _, p := range ports {
		got = append(got, p.Name+" "+p.Spec.Network+" "+p.Status.State)
	}
	if want := "vm1 lab up, vm2 lab up, qemu0 lab adopted"; strings.Join(got, ", ") != want {
		t.Errorf("ports %q, want %s", got, want)
	}
	networks, err := r.Networks(t.Context())
	r.ok(err)
	if len(networks) != 2 || strings.Join(networks[0].Status.Ports, " ") != "qemu0 vm1 vm2" || len(networks[1].Status.Ports) > 0 {
		t.Errorf("networks %+v", networks)
	}
	bridges, err := r.Bridges(t.Context())
	r.ok(err)
	if len(bridges) != 1 || bridges[0].Status.State != "up" || len(bridges[0].Status.Problems) != 1 {
		t.Errorf("bridges %+v", bridges)
	}
	r.ok(r.Pause(t.Context(), true)) // the loop would put it right
	r.host.change(func() { r.host.drop(plan.Link{Name: "vm1", Type: "tap"}) })
	r.host.add(stranger("vm1", "device"))
	ports, err = r.Ports(t.Context())
	r.ok(err)
	if st := ports[0].Status; st.State != "missing" || len(st.Problems) == 0 {
		t.Errorf("a port whose name a stranger has is %+v", st)
	}
	st, err := r.Status(t.Context())
	r.ok(err)
	if !st.Paused || st.Networks != 2 || st.Running != 2 || st.Ports != 2 || st.Uplinks[0] != "eth0" {
		t.Errorf("status %+v", st)
	}
}

// What is exported can be applied, and changes nothing.
func TestExportIsApplied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab + "bridges: {br0: {}}\nports: {vm1: {network: lab}}")
	all, err := r.Export(t.Context(), "", "")
	r.ok(err)
	parts := ""
	for _, kind := range []string{"network", "bridge", "port"} {
		text, err := r.Export(t.Context(), kind, "")
		r.ok(err)
		parts += text
	}
	if all != parts {
		t.Errorf("all is\n%s\nits kinds are\n%s", all, parts)
	}
	if one, err := r.Export(t.Context(), "port", "vm1"); err != nil || !strings.HasSuffix(all, one) {
		t.Errorf("one port: %s, %v", one, err)
	}
	r.untouched(func() {
		if got := verbsOf(r.apply(all)); strings.Count(got, "unchanged") != 3 {
			t.Errorf("did %s", got)
		}
	})
}
