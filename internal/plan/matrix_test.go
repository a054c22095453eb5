package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// lab is a host with networks of every kind and two routers, one of which leaves
// by a network of the host.
const labSpec = `{
  "networks": {
    "lab": {"mode": "nat", "bridge": {"name": "lab0"}, "subnets": [{"address": "10.9.0.1/24"}], "peers": ["db"]},
    "db": {"mode": "isolated", "bridge": {"name": "db0"}, "subnets": [{"address": "10.8.0.1/24"}]},
    "dmz": {"mode": "route", "bridge": {"name": "dmz0"}, "subnets": [{"address": "10.7.0.1/24"}]},
    "lan": {"mode": "bridge", "bridge": {"name": "br0"}},
    "shut": {"mode": "isolated", "bridge": {"name": "shut0"}},
    "red": {"mode": "isolated", "bridge": {"name": "red0"}},
    "blue": {"mode": "isolated", "bridge": {"name": "blue0"}},
    "far": {"mode": "isolated", "bridge": {"name": "far0"}}
  },
  "routers": {
    "r1": {"uplink": {"bridge": "br0", "address": "192.168.1.100/24", "gateway": "192.168.1.1"}, "interfaces": [
      {"network": "red", "address": "10.0.1.1/24", "egress": "masquerade"},
      {"network": "blue", "address": "10.0.2.1/24", "egress": "snat", "snat": {"address": "192.168.1.110", "ports": "2000-2999"}, "allow": [{"protocol": "tcp", "ports": "80"}]}]},
    "r2": {"uplink": {"network": "lab", "address": "10.9.0.2/24", "gateway": "10.9.0.1"}, "interfaces": [
      {"network": "far", "address": "10.0.3.1/24", "egress": "route"}]}
  },
  "policies": {
    "db": {"from": "dmz", "to": "db", "allow": [{"protocol": "tcp", "ports": "5432"}]},
    "no-ssh": {"from": "any", "to": "dmz", "deny": [{"protocol": "tcp", "ports": "22"}]},
    "some": {"from": "10.9.0.128/25", "to": "dmz", "allow": [{"protocol": "udp"}]},
    "inner": {"from": "red", "to": "blue", "allow": [{}]},
    "admin": {"from": "red", "to": "router/r1", "deny": [{"protocol": "tcp"}]}
  }
}`

func labMachine(t *testing.T) *machine {
	t.Helper()
	m := newMachine()
	err := m.observe("host\ndevice br0 bridge\ndevice eth0\naddr 198.51.100.5/24 dev eth0\nroute 0.0.0.0/0 via 198.51.100.1 dev eth0")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMatrixTellsWhoMayReachWhom(t *testing.T) {
	t.Parallel()
	cells := map[string]plan.Cell{}
	for _, c := range plan.Matrix(readSpec(t, labSpec), labMachine(t).facts()) {
		cells[c.From+" → "+c.To] = c
	}
	if len(cells) != 11*10 {
		t.Errorf("%d cells", len(cells))
	}
	for pair, want := range map[string]string{
		"lab → outside":         "all (mode nat)",
		"outside → lab":         "none (mode nat)",
		"lab → db":              "all (peers)",
		"db → lab":              "all (peers)",
		"db → outside":          "none (mode isolated)",
		"dmz → db":              "tcp 5432 (mode isolated)",
		"db → dmz":              "none (mode isolated)",
		"outside → dmz":         "all but tcp 22 (mode route)",
		"lab → dmz":             "udp from 10.9.0.128/25 but tcp 22 (another network)",
		"dmz → lab":             "none (mode nat)",
		"dmz → outside":         "all (mode route)",
		"shut → outside":        "none (shut has no gateway)",
		"lab → shut":            "none (shut has no gateway)",
		"red → blue":            "all (policy/inner)",
		"blue → red":            "none (egress allow list)",
		"red → outside":         "all (egress masquerade)",
		"blue → outside":        "tcp 80 (egress allow list)",
		"outside → red":         "none (egress masquerade)",
		"red → lab":             "none (as outside: mode nat)",
		"red → dmz":             "all but tcp 22 (as outside: mode route)",
		"blue → dmz":            "tcp 80 but tcp 22 (as outside: egress allow list)",
		"far → lab":             "all (as outside: egress route)",
		"lab → far":             "all (as outside: egress route)",
		"lan → red":             "none (egress masquerade)",
		"red → lan":             "all (egress masquerade)",
		"lan → outside":         "all (mode bridge)",
		"red → router/r1":       "all but tcp (gateway)",
		"blue → router/r1":      "all (gateway)",
		"router/r1 → red":       "all (the router itself)",
		"router/r1 → lab":       "none (as outside: mode nat)",
		"db → router/r1":        "none (as outside: mode isolated)",
		"router/r1 → router/r2": "all (no network of ours)",
	} {
		c, there := cells[pair]
		if got := fmt.Sprintf("%s (%s)", c, c.Reason); !there || got != want {
			t.Errorf("%s: got %s, want %s", pair, got, want)
		}
	}
}

// TestJoins: names follow policies and peers, not modes.
func TestServicesJoinWhatPoliciesJoin(t *testing.T) {
	t.Parallel()
	joins := map[string]string{}
	for _, s := range plan.Services(readSpec(t, labSpec), labMachine(t).facts()) {
		if len(s.Joins) > 0 {
			joins[s.Network] = strings.Join(s.Joins, " ")
		}
	}
	want := map[string]string{"lab": "db dmz", "db": "lab", "dmz": "db", "red": "blue"}
	if diff := cmp.Diff(want, joins); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAcquiresAreTheUplinksThatAreThere(t *testing.T) {
	t.Parallel()
	s := readSpec(t, `{"networks": {"red": {"mode": "isolated"}}, "routers": {
	  "r1": {"uplinks": {"a": {"bridge": "br0", "dhcp": true}, "b": {"nic": "eth7", "dhcp": true}, "c": {"bridge": "br0", "address": "192.168.1.9/24"}}},
	  "r2": {"uplink": {"network": "red", "dhcp": true, "mac": "52:54:00:00:00:09"}}}}`)
	got := plan.Acquires(s, labMachine(t).facts())
	want := []plan.Acquire{
		{NS: "r1", Link: "a", Router: "r1", Uplink: "a", MAC: spec.GenerateMAC("host-1/router/r1/a")},
		{NS: "r2", Link: "uplink", Router: "r2", Uplink: "uplink", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 9}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got[0].Key() != "r1/a" {
		t.Error(got[0].Key())
	}
}
