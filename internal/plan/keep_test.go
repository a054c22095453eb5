package plan_test

import (
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// A bridge and a port lose their definitions to a slip in an editor, beside one
// port that is deleted on purpose.
func TestKeepTakesNothingFromOwnersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	have := plan.State{}
	have.Add(
		plan.Link{Mark: "bridge/br0", Name: "br0", Type: "bridge", Index: 4}, plan.Up{Mark: "bridge/br0", Link: "br0"},
		plan.Addr{Mark: "bridge/br0", Link: "br0", Prefix: netip.MustParsePrefix("192.0.2.2/24")},
		plan.Route{Mark: "bridge/br0", Link: "br0", Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1")},
		plan.Link{Name: "eth1", Type: "device", Master: "br0"}, plan.Up{Link: "eth1"},
		plan.Link{Mark: "port/vm1", Name: "vm1", Type: "tap", Master: "br0"}, plan.Up{Mark: "port/vm1", Link: "vm1"},
		plan.Link{Mark: "port/gone", Name: "gone", Type: "tap"})
	facts := plan.Facts{Borrowed: plan.Borrowed{"master/eth1": ""}}.Learn(have)
	want := plan.Build(&spec.Spec{}, facts.Keep(have, []string{"bridge/br0", "port/vm1"}))
	ops, conflicts := plan.Diff(want, have)
	if len(conflicts) > 0 || len(ops) != 1 || ops[0].Verb != plan.Del || ops[0].Object.Owner() != "port/gone" {
		t.Errorf("does %q, conflicts %v; only port gone was to go", plan.Lines(ops), conflicts)
	}
	if kept := facts.Borrowed.Return(want); len(kept) != 1 {
		t.Errorf("the record of the NIC is lost: %v", kept)
	}
	without := plan.Build(&spec.Spec{}, facts)
	if ops, _ := plan.Diff(without, have); len(ops) < 4 {
		t.Errorf("without Keep only %q", plan.Lines(ops))
	}
}

// A router's definition is lost in the same way.
func TestKeepTakesNothingFromARouter(t *testing.T) {
	t.Parallel()
	m := labMachine(t)
	s := readSpec(t, `{"networks": {"red": {"mode": "isolated", "bridge": {"name": "red0"}}}, "routers": {"r1": {
	  "uplink": {"host": "nat", "address": "10.255.0.2/30", "gateway": "10.255.0.1"},
	  "interfaces": [{"network": "red", "address": "10.0.1.1/24", "egress": "masquerade"}]}}}`)
	if err := m.converge(s, nil); err != nil {
		t.Fatal(err)
	}
	delete(s.Routers, "r1")
	facts := m.facts()
	ops, _ := plan.Diff(plan.Build(s, facts.Keep(m.state, []string{"router/r1"})), m.state)
	for _, op := range ops {
		if k := op.Object.Key(); k.NS != "" || op.Object.Owner() == "router/r1" || k.Kind == plan.KindElement && op.Object.(plan.Element).Map != "held4" {
			t.Errorf("does %s", op)
		}
	}
	if ops, _ := plan.Diff(plan.Build(s, facts), m.state); len(ops) < 4 {
		t.Errorf("without Keep only %q", plan.Lines(ops))
	}
}
