package manage

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func forwardTo(network, listen, to string) *spec.Forward {
	l, _ := spec.ParseListen(listen)
	target, _ := spec.ParseTarget(to)
	return &spec.Forward{Network: network, Listen: l, To: target}
}

func addForward(r *rig, name string, f *spec.Forward) (api.Forward, error) {
	return r.AddForward(r.t.Context(), api.Definition[spec.Forward]{Name: name, Spec: f})
}

func TestForwardIsNamedByWhereItLeads(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab)
	for _, c := range []struct {
		forward *spec.Forward
		want    string
	}{
		{forwardTo("lab", "443", "nextcloud:443"), "nextcloud-tcp-443"},
		{forwardTo("lab", "8443", "nextcloud:443"), "nextcloud-tcp-8443"},
		{forwardTo("lab", "192.0.2.2:8443", "nextcloud:443"), "nextcloud-tcp-8443-2"},
		{forwardTo("lab", "2000-2999", "10.2.0.7"), "10.2.0.7-tcp-2000-2999"},
	} {
		f, err := addForward(r, "", c.forward)
		r.ok(err)
		if f.Name != c.want {
			t.Errorf("it is named %s, want %s", f.Name, c.want)
		}
	}
}

func TestForwardFollowsItsGuest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab)
	f, err := addForward(r, "web", forwardTo("lab", "8080", "VM1:80"))
	r.ok(err)
	if f.Status.State != "waits for VM1" || len(f.Status.Targets) > 0 || fmt.Sprint(f.Status.Outside) != "[*:8080]" || f.Status.Router != "" {
		t.Errorf("status %+v", f.Status)
	}
	r.kernel.set(func(k *kernel) {
		k.guests["vm1"] = "10.2.0.20"
		k.counted["forward4 tcp . 8080"] = api.Counter{Packets: 7}
		k.counted["forward4 tcp . 8081"] = api.Counter{Packets: 100}
	})
	r.engine.Wake()
	r.eventually("it is active", func() bool {
		list, err := r.Forwards(t.Context())
		r.ok(err)
		f = list[0]
		return f.Status.State == api.Active
	})
	if fmt.Sprint(f.Status.Targets) != "[10.2.0.20:80]" || f.Status.Hits == nil || f.Status.Hits.Packets != 7 {
		t.Errorf("status %+v", f.Status)
	}
	r.ok(r.Delete(t.Context(), "forward", "web"))
	r.settled()
	if strings.Contains(r.host.String(), "forward4") {
		t.Errorf("its element is left:\n%s", r.host)
	}
}

// A port on which a process listens is not taken from it, on the host or in a
// router.
func TestForwardOfAHeldPortIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	r.settled()
	r.kernel.set(func(k *kernel) {
		k.holders[" tcp 22"] = "sshd (pid 812)"
		k.holders["r1 tcp 53"] = "dnsmasq (pid 7)"
	})
	r.untouched(func() {
		_, err := addForward(r, "ssh", forwardTo("lab", "22", "vm1"))
		r.refused(err, api.CodeConflict, "forwards.ssh.listen: tcp 22 is in use by sshd (pid 812)", "nothing was changed")
		_, err = addForward(r, "dns", forwardTo("red", "53", "vm1"))
		r.refused(err, api.CodeConflict, "dnsmasq (pid 7)")
		_, err = r.try(false, "forwards:\n  ssh: {network: lab, listen: 22, to: vm1}\n")
		r.refused(err, api.CodeConflict, "a.yaml:2:", "sshd (pid 812)")
	})
	_, err := addForward(r, "ssh", forwardTo("red", "22", "vm1")) // nobody does in the router
	r.ok(err)
	r.kernel.set(func(k *kernel) { k.holders["r1 tcp 22"] = "sshd (pid 9)" })
	r.apply("forwards: {ssh: {network: red, listen: 22, to: 'vm1:2222', description: 'it has the port already'}}")
}

func TestRefusedForwardsAndPolicies(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	r.apply("networks: {blue: {mode: isolated}}")
	r.settled()
	ctx := t.Context()
	policy := func(name, from, to string) error {
		_, err := r.AddPolicy(ctx, api.Definition[spec.Policy]{Name: name, Spec: &spec.Policy{From: spec.Parties(from), To: spec.Parties(to), Allow: []spec.Traffic{{}}}})
		return err
	}
	forward := func(name string, f *spec.Forward) error { _, err := addForward(r, name, f); return err }
	set := func(name string, addresses spec.Prefixes) error {
		_, err := r.AddSet(ctx, api.Definition[spec.AddressSet]{Name: name, Spec: &spec.AddressSet{Addresses: addresses}})
		return err
	}
	router := func(name, network string) error {
		_, err := r.AddRouter(ctx, api.Definition[spec.Router]{Name: name, Spec: &spec.Router{Interfaces: []spec.Interface{{Network: network, Address: "10.3.0.1/24"}}}})
		return err
	}
	r.untouched(func() {
		r.refused(forward("web", forwardTo("lab", "80", "vm1")), api.CodeConflict, "forward web exists")
		r.refused(forward("x", forwardTo("nil", "80", "vm1")), api.CodeInvalid, "forwards.x.network", "nil")
		r.refused(forward("x", forwardTo("lab", "8080", "vm1")), api.CodeInvalid, "8080", "web")
		r.refused(policy("db", "lab", "red"), api.CodeConflict, "policy db exists")
		r.refused(policy("x", "nil", "red"), api.CodeInvalid, "policies.x.from", "nil")
		r.refused(policy("x", "lab", "set/nil"), api.CodeInvalid, "policies.x.to", "nil")
		r.refused(policy("../x", "lab", "red"), api.CodeInvalid, "../x")
		r.refused(set("office", "10.0.0.1"), api.CodeConflict, "set office exists")
		r.refused(set("x", "ten"), api.CodeInvalid, "sets.x.addresses", "ten")
		r.refused(router("r1", "lab"), api.CodeConflict, "router r1 exists")
		r.refused(router("r2", "nil"), api.CodeInvalid, "routers.r2.interfaces[0].network", "nil")
		r.host.change(func() { r.host.refuse = "netns r2" })
		r.ok(r.Pause(ctx, true))
		r.refused(router("r2", "blue"), api.CodeInternal, "add router r2", "refused")
	})
}

func TestPoliciesAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	r.kernel.set(func(k *kernel) { k.counted["policy/db allow 0"] = api.Counter{Packets: 4} })
	list, err := r.Policies(t.Context())
	r.ok(err)
	if len(list) != 1 || list[0].Status.State != api.Active || len(list[0].Status.Rules) != 2 {
		t.Fatalf("policies %+v", list)
	}
	deny, allow := list[0].Status.Rules[0], list[0].Status.Rules[1]
	if deny.Verdict != "deny" || deny.Counter != nil || allow.Verdict != "allow" || allow.Counter.Packets != 8 { // on the host and in the router
		t.Errorf("rules %+v", list[0].Status.Rules)
	}
	sets, err := r.Sets(t.Context())
	r.ok(err)
	if len(sets) != 1 || fmt.Sprint(sets[0].Status.Users) != "[db]" {
		t.Errorf("sets %+v", sets)
	}
}

func TestMatrixHasACellForEachPair(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	r.settled()
	m, err := r.Matrix(t.Context())
	r.ok(err)
	if fmt.Sprint(m.Parties) != "[lab red outside router/r1]" || len(m.Cells) != 12 {
		t.Errorf("parties %v, %d cells", m.Parties, len(m.Cells))
	}
	for _, c := range m.Cells {
		if c.Verdict != "all" && c.Verdict != "none" && c.Verdict != "some" {
			t.Errorf("cell %+v", c)
		}
	}
}
