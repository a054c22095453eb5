package plan_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/plan"
)

// TestDiffKeepsNamespacesApart: the same name in two namespaces is two links.
func TestDiffKeepsNamespacesApart(t *testing.T) {
	t.Parallel()
	in := func(ns string, mark plan.Mark) plan.State {
		s := plan.State{}
		s.Add(plan.Link{NS: ns, Mark: mark, Name: "lab0", Type: "bridge", MTU: 1500},
			plan.Addr{NS: ns, Mark: mark, Link: "lab0", Prefix: netip.MustParsePrefix("10.9.0.1/24")})
		return s
	}
	want, have := in("r1", "network/lab"), in("", "network/old")
	have.Add(plan.Link{NS: "r2", Name: "lab0", Type: "device"})
	ops, conflicts := plan.Diff(want, have)
	if len(conflicts) > 0 {
		t.Errorf("a link of another namespace is in the way: %v", conflicts)
	}
	if diff := cmp.Diff([]string{
		"netns r1 add link lab0 type bridge mtu 1500 owner network/lab",
		"netns r1 add addr 10.9.0.1/24 dev lab0",
		"del link lab0 type bridge mtu 1500 owner network/old",
	}, plan.Lines(ops)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := have.Owned(); len(got) != 2 {
		t.Errorf("want the link and the address of network/old, got\n%s", got)
	}
}
