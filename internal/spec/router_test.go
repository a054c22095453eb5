package spec

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestInterfacesOfARouterAreNamedInOrder(t *testing.T) {
	t.Parallel()
	s := &Spec{Routers: map[string]*Router{"r1": {
		Uplinks:    map[string]*Uplink{"eth1": {}, "gone": nil},
		Interfaces: []Interface{{Network: "a"}, {Network: "b", Name: "eth3"}, {Network: "c"}, {Network: "d", Egress: EgressRoute}},
	}}, Forwards: map[string]*Forward{"f": {}, "fip": {Floating: addr("192.0.2.1")}}, Policies: map[string]*Policy{"p": {}}}
	merged := s.Merge(&Spec{})
	for range 2 {
		merged.Default()
		r := merged.Routers["r1"]
		if got := r.InterfaceNames(); !slices.Equal(got, []string{"eth0", "eth3", "eth2", "eth4"}) {
			t.Errorf("the interfaces are %v", got)
		}
		if r.Interfaces[0].Egress != EgressNone || r.Interfaces[3].Egress != EgressRoute || !r.Interfaces[0].MAC.IsZero() {
			t.Errorf("the interfaces are %+v", r.Interfaces)
		}
		if merged.Forwards["f"].Protocol != TCP || merged.Forwards["fip"].Protocol != "" || merged.Policies["p"].Priority != DefaultPriority {
			t.Error("forwards and policies have other defaults")
		}
	}
	if s.Routers["r1"].Interfaces[0].Name != "" || s.Forwards["f"].Protocol != "" {
		t.Error("Default of the merged Spec changed its source")
	}
}

func TestGeneratedBridgesAvoidRouters(t *testing.T) {
	t.Parallel()
	s := &Spec{
		Networks: map[string]*Network{"r1-eth0": {Mode: Isolated}, "r1-uplink": {Mode: Isolated}, "wan": {Mode: Isolated}, "lan0": {Mode: Isolated}},
		Routers: map[string]*Router{"r1": {Uplink: &Uplink{Bridge: "wan"}, Uplinks: map[string]*Uplink{"x": {NIC: "lan0"}},
			Interfaces: []Interface{{Network: "a", Address: "10.0.0.1/24", MAC: GenerateMAC("port/vm1")}}}},
		Ports: map[string]*Port{"vm1": {}},
	}
	s.Default()
	for name, n := range s.Networks {
		if n.Bridge.Name == name {
			t.Errorf("the bridge of network %s takes the name that the router uses", name)
		}
	}
	if s.Ports["vm1"].MAC == GenerateMAC("port/vm1") {
		t.Error("a port has the MAC of a router")
	}
}

func TestHostEnds(t *testing.T) {
	t.Parallel()
	if got := HostEnd("r1", "eth0"); got != "r1-eth0" {
		t.Errorf("got %s", got)
	}
	long := HostEnd("a-router-with-a-long-name", "eth0")
	if CheckInterfaceName(long) != nil || !strings.HasPrefix(long, "a-router-") || long == HostEnd("a-router-with-a-long-name", "eth1") {
		t.Errorf("got %s", long)
	}
	rapid.Check(t, func(t *rapid.T) {
		router, inside := rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,49}`).Draw(t, "router"), rapid.StringMatching(`[a-z0-9]{1,15}`).Draw(t, "name")
		if err := CheckInterfaceName(HostEnd(router, inside)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHoldersOfANetwork(t *testing.T) {
	t.Parallel()
	s := routed()
	h := s.Holders()
	for network, want := range map[string][]string{"lab": {""}, "red": {"r1"}, "core": {"r1", "r2"}, "lan": nil, "nope": nil} {
		var got []string
		for _, one := range h[network] {
			got = append(got, one.Router)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is held by %q, want %q", network, got, want)
		}
	}
	cases := []struct {
		f    Forward
		want string
		ok   bool
	}{
		{Forward{Network: "lab"}, "", true},
		{Forward{Network: "red"}, "r1", true},
		{Forward{Network: "core"}, "", false},
		{Forward{Network: "core", Router: "r2"}, "r2", true},
		{Forward{Network: "red", Router: "r2"}, "", false},
		{Forward{Network: "lab", Router: "r1"}, "", false},
		{Forward{Network: "nope"}, "", false},
	}
	for _, c := range cases {
		if got, ok := h.Of(&c.f); got.Router != c.want || ok != c.ok {
			t.Errorf("forward %+v is led by %q, %v", c.f, got.Router, ok)
		}
	}
}

func TestGatewaysOfAnInterface(t *testing.T) {
	t.Parallel()
	i := Interface{Address: "10.0.0.1/24, fd00::1/64", DHCP: &DHCP{}, Subnets: []Subnet{{Address: prefix("10.0.1.1/24"), DHCP: &DHCP{Static: true}}}}
	got := i.Gateways()
	if len(got) != 3 || got[0].DHCP != i.DHCP || got[1].DHCP != nil || got[2].DHCP == nil || got[2].Address != prefix("10.0.1.1/24") {
		t.Errorf("the gateways are %+v", got)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	s := routed()
	var seen []string
	for ref, one := range s.Each() {
		if one.Count() != 1 || !slices.Equal(one.Names(ref.Kind), []string{ref.Name}) {
			t.Errorf("%v comes as %+v", ref, one)
		}
		if seen = append(seen, ref.Owner()); len(seen) == 3 {
			break
		}
	}
	if want := []string{"bridge/br0", "network/core", "network/lab"}; !slices.Equal(seen, want) {
		t.Errorf("the first objects are %v, want %v", seen, want)
	}
	total := 0
	for range s.Each() {
		total++
	}
	if total != s.Count() || s.Empty() || s.Names("nothing") != nil {
		t.Errorf("%d objects of %d", total, s.Count())
	}
	for kind, want := range map[string]string{"policies": "policy", "sets": "set", "routers": "router", "bridges": "bridge"} {
		if got := Singular(kind); got != want {
			t.Errorf("one of the %s is a %s", kind, got)
		}
	}
}
