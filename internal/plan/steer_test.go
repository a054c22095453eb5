package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

const threeUplinks = `{
  "networks": {
    "red": {"mode": "isolated", "bridge": {"name": "red0"}},
    "blue": {"mode": "isolated", "bridge": {"name": "blue0"}}
  },
  "routers": {"r1": {
    "uplinks": {
      "isp1": {"nic": "eth1", "address": ["192.0.2.100/24", "2001:db8:1::9/64"], "gateway": ["192.0.2.1", "2001:db8:1::1"]},
      "isp2": {"nic": "eth2", "address": "198.51.100.100/24", "gateway": "198.51.100.1"},
      "isp3": {"nic": "eth3", "address": "203.0.113.100/24", "gateway": "203.0.113.1"}
    },
    "interfaces": [
      {"network": "red", "address": ["10.0.1.1/24", "fd00:1::1/64"], "egress": "masquerade", "uplink": "isp2"},
      {"network": "blue", "address": ["10.0.2.1/24", "fd00:2::1/64"], "egress": "masquerade", "uplink": "isp3", "killSwitch": true}
    ],
    "routes": [{"to": "10.60.0.0/16", "uplink": "isp1"}, {"to": "10.61.0.0/16", "via": "10.0.1.50"}, {"to": "10.62.0.0/16", "via": "192.0.2.7"}]
  }}
}`

// TestKillSwitchLeavesOneWay goes through all sets of uplinks that can be there. A
// network with a kill switch is always led to the table of its uplink, in which
// nothing leads to another one, and at last there is a refusal. One without is led
// to the main table while its uplink is not there.
func TestKillSwitchLeavesOneWay(t *testing.T) {
	t.Parallel()
	for there := range 1 << 3 {
		nics := ""
		for k := range 3 {
			if there&(1<<k) != 0 {
				nics += fmt.Sprintf("device eth%d\n", k+1)
			}
		}
		m := newMachine()
		if err := m.observe("host\n" + nics); err != nil {
			t.Fatal(err)
		}
		s := readSpec(t, threeUplinks)
		want := plan.Build(s, m.facts())
		for _, line := range []string{
			"element leaves { eth1 : 0x00000067 }", "element pinned { eth1 }", "element egress { eth1 . isp3 }",
			"rule ipv4 priority 10003 fwmark 0x67 lookup 103", "rule ipv6 priority 10003 fwmark 0x67 lookup 103",
			"route unreachable 0.0.0.0/0 table 103 metric 4278198272", "route unreachable ::/0 table 103 metric 4278198272",
			"route 10.0.1.0/24 dev eth0 table 103", "route 10.61.0.0/16 via 10.0.1.50 dev eth0 table 103",
		} {
			if !strings.Contains(want.String(), "netns r1 "+line+"\n") {
				t.Errorf("with %q there is no %s", nics, line)
			}
		}
		for r := range plan.Of[plan.Route](want) {
			if r.Table == 103 && strings.HasPrefix(r.Link, "isp") && r.Link != "isp3" {
				t.Errorf("with %q blue has %s", nics, r)
			}
		}
		_, steered := want[plan.Element{NS: "r1", Map: "leaves", ID: "eth0"}.Key()]
		if present := there&2 != 0; steered != present {
			t.Errorf("with %q red is led to its uplink: %v", nics, steered)
		}
		if err := m.converge(s, nil); err != nil {
			t.Errorf("with %q: %v", nics, err)
		}
	}
}
