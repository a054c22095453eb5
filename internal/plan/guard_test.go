package plan_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func mac(last byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, 0, last} }

// guarded is a network with one guard and two ports, one of them with a guard of its
// own.
func guarded() *spec.Spec {
	return &spec.Spec{
		Networks: map[string]*spec.Network{"lab": {
			Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab0"}, Guard: spec.GuardStrict,
			Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.1/24"), DHCP: &spec.DHCP{}}, {Address: netip.MustParsePrefix("fd00::1/64")}},
			Routes:  []spec.StaticRoute{{To: netip.MustParsePrefix("10.7.0.0/24"), Via: netip.MustParseAddr("10.0.0.5")}},
		}},
		Ports: map[string]*spec.Port{
			"vm1": {Network: "lab", Interface: "tap1", MAC: mac(1)},
			"vm2": {Network: "lab", Interface: "tap2", MAC: mac(2), Guard: spec.GuardTag},
		},
	}
}

// rowsOf lists the elements of some sets that a port, or a segment, has.
func rowsOf(want plan.State, first string) []string {
	var rows []string
	for e := range plan.Of[plan.Element](want) {
		if e.NS == "" && (e.ID == first || strings.HasPrefix(e.ID, first+" ")) {
			rows = append(rows, strings.TrimSpace(e.Map+strings.TrimPrefix(e.ID, first)))
		}
	}
	slices.Sort(rows)
	return rows
}

func TestLeasesArePermittedWhereTheirGuestIs(t *testing.T) {
	t.Parallel()
	links := map[string]plan.Link{
		"lab0":  {Name: "lab0", Type: "bridge", Mark: "network/lab"},
		"vnet7": {Name: "vnet7", Type: "tap", Master: "lab0"},
	}
	for _, c := range []struct {
		what  string
		lease plan.Leased
		link  string // that may use it; "" = none
	}{
		{"of a port's MAC", plan.Leased{MAC: mac(1), Addr: netip.MustParseAddr("10.0.0.5"), Port: "vm1"}, "tap1"},
		{"of a port's MAC, seen elsewhere", plan.Leased{MAC: mac(1), Addr: netip.MustParseAddr("10.0.0.5"), Port: "vnet7"}, "tap1"},
		{"of another MAC behind a port", plan.Leased{MAC: mac(9), Addr: netip.MustParseAddr("10.0.0.5"), Port: "vm1"}, "tap1"},
		{"behind what others plugged in", plan.Leased{MAC: mac(9), Addr: netip.MustParseAddr("10.0.0.5"), Port: "vnet7"}, "vnet7"},
		{"of a guest whose address is not guarded", plan.Leased{MAC: mac(2), Addr: netip.MustParseAddr("10.0.0.5"), Port: "vm2"}, ""},
		{"behind a relay agent", plan.Leased{MAC: mac(9), Addr: netip.MustParseAddr("10.0.0.5"), Port: "relay 10.0.0.3"}, ""},
		{"of nobody knows where", plan.Leased{MAC: mac(9), Addr: netip.MustParseAddr("10.0.0.5")}, ""},
	} {
		facts := plan.Facts{HostID: "h", IPv6: true, Links: links, Leases: map[string][]plan.Leased{"lab": {c.lease}}}
		want := plan.Build(guarded(), facts)
		var has []string
		for e := range plan.Of[plan.Element](want) {
			if link, ok := strings.CutSuffix(e.ID, " . 10.0.0.5"); ok && e.Map == "addresses4" {
				has = append(has, link)
			}
		}
		if !slices.Equal(has, slices.DeleteFunc([]string{c.link}, func(s string) bool { return s == "" })) {
			t.Errorf("a lease %s is permitted on %q, want %q", c.what, has, c.link)
		}
		// What is permitted before the acknowledgement is wanted afterwards.
		for _, e := range plan.NewPermits(guarded()).Of("lab", c.lease) {
			if o, ok := want[e.Key()].(plan.Element); !ok || o.Value != e.Value {
				t.Errorf("a lease %s permits %v, which is not wanted", c.what, e)
			}
			has = slices.DeleteFunc(has, func(link string) bool { return e.ID == link+" . 10.0.0.5" })
		}
		if len(has) > 0 && c.link != "" {
			t.Errorf("a lease %s is not permitted on %q before", c.what, has)
		}
	}
}

func TestWhatIsRoutedToAGuestMayComeFromIt(t *testing.T) {
	t.Parallel()
	lease := plan.Leased{MAC: mac(1), Addr: netip.MustParseAddr("10.0.0.5")}
	for _, leased := range []bool{false, true} {
		facts := plan.Facts{HostID: "h", IPv6: true}
		if leased {
			facts.Leases = map[string][]plan.Leased{"lab": {lease}}
		}
		rows := rowsOf(plan.Build(guarded(), facts), "tap1")
		if got := slices.Contains(rows, "behind4 . 10.7.0.0/24"); got != leased {
			t.Errorf("with the address %v: %v", leased, rows)
		}
	}
}

func TestRowsOfAPortDoNotDependOnOthers(t *testing.T) {
	t.Parallel()
	facts := plan.Facts{HostID: "h", IPv6: true, Links: map[string]plan.Link{}}
	one := guarded()
	more := guarded()
	more.Ports["vm3"] = &spec.Port{Network: "lab", Interface: "tap3", MAC: mac(3), Addresses: []netip.Addr{netip.MustParseAddr("fd00::3")}}
	a, b := plan.Build(one, facts), plan.Build(more, facts)
	for key, o := range a {
		if b[key] != o {
			t.Errorf("with another port %v became %v", o, b[key])
		}
	}
	for key, o := range b {
		if _, had := a[key]; !had && o.Owner() != "port/vm3" && !strings.HasPrefix(key.ID, "claims") && !strings.HasPrefix(key.ID, "hosts") {
			t.Errorf("another port brought %v, of %s", o, o.Owner())
		}
	}
}

func TestGuardedNetworks(t *testing.T) {
	t.Parallel()
	s := guarded()
	s.Networks["red"] = &spec.Network{Bridge: spec.BridgeSettings{Name: "red0"}}
	s.Networks["tags"] = &spec.Network{Guard: "tag, storm", Bridge: spec.BridgeSettings{Name: "tags0"}}
	if got := plan.GuardedNetworks(s); !slices.Equal(got, []string{"lab"}) {
		t.Errorf("%q are guarded", got)
	}
	s.Ports["vm9"] = &spec.Port{Network: "red", Guard: "address"}
	if got := plan.GuardedNetworks(s); !slices.Equal(got, []string{"lab", "red"}) {
		t.Errorf("%q are guarded", got)
	}
}
