package manage

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
)

func foreseen(r *rig, text string) (api.Defined, error) {
	return r.Define(r.t.Context(), api.DefineRequest{File: api.File{Name: "n", Text: text}, DryRun: true})
}

func TestDryRunOfADefinitionStoresNothing(t *testing.T) {
	r := newRig(t)
	for _, text := range []string{
		"networks: {lab: {mode: nat, subnets: [{address: 10.1.0.1/24}], autostart: false}}",
		"<network><name>lab</name><forward/><ip address='10.1.0.1' netmask='255.255.255.0'/></network>",
	} {
		n, err := foreseen(r, text)
		r.ok(err)
		if n.Name != "lab" || n.Spec.UUID == "" || n.Status.Bridge == "" || n.Spec.Bridge.Name != n.Status.Bridge || n.Status.State != api.Inactive || n.Status.Autostart || len(n.Status.Problems) > 0 {
			t.Errorf("foreseen is %+v", n)
		}
	}
	if list, err := r.Networks(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("defined are %v, %v", list, err)
	}
	_, err := foreseen(r, "networks: {lab: {mode: nit}}")
	r.refused(err, api.CodeInvalid, "nit")
}

func TestDryRunOfADefinitionTellsWhatIsInTheWay(t *testing.T) {
	r := newRig(t)
	r.host.add(plan.Link{Name: "virbr0", Type: "bridge"}, plan.Addr{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.1/24")})
	_, err := r.try(false, "networks: {mine: {mode: isolated, bridge: {name: mine0}, subnets: [{address: 10.1.0.1/24}]}}")
	r.ok(err)
	for _, c := range []struct {
		what, text string
		want       []string
	}{
		{"libvirt's own", "networks: {default: {mode: nat, bridge: {name: virbr0}, subnets: [{address: 192.168.122.1/24}]}}",
			[]string{"the interface virbr0 exists already, and is not this network's", "192.168.122.0/24 is in use on this host: address 192.168.122.1/24 on virbr0"}},
		{"its subnet", "networks: {default: {mode: nat, bridge: {name: virbr9}, subnets: [{address: 192.168.122.1/24}]}}",
			[]string{"192.168.122.0/24 is in use on this host: address 192.168.122.1/24 on virbr0"}},
		{"a bridge that is to be used", "networks: {lan: {mode: bridge, bridge: {name: virbr0}}}", nil},
		{"nothing", "networks: {default: {mode: nat, bridge: {name: virbr9}, subnets: [{address: 192.168.9.1/24}]}}", nil},
		{"what runs already", "networks: {mine: {mode: isolated, bridge: {name: mine0}, subnets: [{address: 192.168.122.1/24}]}}", nil},
	} {
		n, err := foreseen(r, c.text)
		if err != nil || !slices.Equal(n.Status.Problems, c.want) {
			t.Errorf("%s: %q, %v", c.what, n.Status.Problems, err)
		}
	}
	if n, _ := foreseen(r, "networks: {mine: {mode: isolated}}"); n.Status.State != api.Running {
		t.Errorf("a network that runs is %s", n.Status.State)
	}
	if strings.Contains(r.host.String(), "192.168.9.1") {
		t.Error("something was made")
	}
}

func TestFreeSubnetIsNobodys(t *testing.T) {
	r := newRig(t)
	free := func(want string) {
		t.Helper()
		if p, err := r.FreeSubnet(t.Context(), 122); err != nil || p.String() != want {
			t.Errorf("free is %v, %v, want %s", p, err, want)
		}
	}
	free("192.168.122.1/24")
	r.host.add(plan.Link{Name: "virbr0", Type: "bridge"}, plan.Addr{Link: "virbr0", Prefix: netip.MustParsePrefix("192.168.122.65/26")})
	_, err := r.Define(t.Context(), api.DefineRequest{File: api.File{Name: "n", Text: "networks: {lab: {mode: nat, subnets: [{address: 192.168.123.1/24}], autostart: false}}"}})
	r.ok(err)
	free("192.168.124.1/24")
	r.host.add(plan.Link{Name: "eth9", Type: "device"}, plan.Addr{Link: "eth9", Prefix: netip.MustParsePrefix("192.168.0.9/16")})
	free("10.0.0.1/24")
	r.host.add(plan.Route{Dst: netip.MustParsePrefix("10.0.0.0/8"), Via: netip.MustParseAddr("192.168.0.1"), Link: "eth9"},
		plan.Route{Dst: netip.MustParsePrefix("172.16.0.0/12"), Via: netip.MustParseAddr("192.168.0.1"), Link: "eth9"})
	_, err = r.FreeSubnet(t.Context(), 122)
	r.refused(err, api.CodeConflict, "no private IPv4 /24 is free")
}
