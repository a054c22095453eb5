package manage

import (
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

// What was written by hand without a UUID has one all the same, and always the same,
// without a change of the file.
func TestHandwrittenObjectsHaveAUUID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.edit("networks/lab.yaml", "networks: {lab: {mode: isolated}} # mine\n")
	r.edit("ports/vm1.yaml", "ports: {vm1: {network: lab, mac: '52:54:00:00:00:01'}}\n")
	r.ok(r.Start(t.Context(), "lab"))
	n, err := r.Network(t.Context(), "lab")
	r.ok(err)
	ports, err := r.Ports(t.Context())
	r.ok(err)
	id := n.Spec.UUID
	if plainUUID(id) == "" || plainUUID(ports[0].Spec.UUID) == "" || id == ports[0].Spec.UUID || n.Status.Pending {
		t.Errorf("the network is %+v, the port %+v", n, ports[0].Spec)
	}
	if !strings.Contains(r.dump("lab", true), "<uuid>"+id+"</uuid>") {
		t.Error("the dump has no UUID")
	}
	if again, _ := r.Network(t.Context(), id); again.Name != "lab" {
		t.Error("it is not found by its UUID")
	}
	if text := r.text("networks/lab.yaml"); !strings.HasSuffix(text, "# mine\n") {
		t.Errorf("the file became %s", text)
	}
	r.ok(r.Stop(t.Context(), "lab"))
	next := r.boots(func() {})
	if n, _ := next.Network(t.Context(), "lab"); n.Spec.UUID != id {
		t.Errorf("after a boot it is %s", n.Spec.UUID)
	}
	next.apply("networks: {lab: {mode: isolated, title: t}}")
	if n, _ := next.Network(t.Context(), "lab"); n.Spec.UUID != id {
		t.Errorf("applied it is %s", n.Spec.UUID)
	}
	other := newRig(t)
	other.edit("networks/lab.yaml", "networks: {lab: {mode: isolated}}")
	if n, _ := other.Network(t.Context(), "lab"); n.Spec.UUID == id {
		t.Error("on another host it is the same")
	}
}

// The loop tells by pointers what has changed: those of what has not stay.
func TestIdentitiesKeepTheirObjects(t *testing.T) {
	t.Parallel()
	host := func() (string, error) { return "h", nil }
	a, b := &spec.Network{}, &spec.Network{UUID: "given"}
	one := &spec.Spec{Networks: map[string]*spec.Network{"a": a, "b": b}}
	var i identity
	first, err := i.of(one, host)
	if err != nil {
		t.Fatal(err)
	}
	same, _ := i.of(one, host)
	two, _ := i.of(&spec.Spec{Networks: map[string]*spec.Network{"a": a, "c": {}}}, host)
	if first != same || first.Networks["a"] != two.Networks["a"] || first.Networks["b"] != b || a.UUID != "" || two.Networks["c"].UUID == two.Networks["a"].UUID {
		t.Errorf("first %v, then %v", first.Networks, two.Networks)
	}
	whole := &spec.Spec{Networks: map[string]*spec.Network{"b": b}}
	if out, _ := i.of(whole, host); out != whole {
		t.Error("a spec that lacks nothing was copied")
	}
}
