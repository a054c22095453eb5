package plan_test

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestYieldLeavesTheHostItsOwnSubnets(t *testing.T) {
	t.Parallel()
	live := &spec.Spec{Networks: map[string]*spec.Network{"lab": {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "lab0"},
		Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("192.168.122.1/24")}}}}}
	eth0 := plan.Link{Name: "eth0", Type: "device"}
	address := func(p string) plan.Object { return plan.Addr{Link: "eth0", Prefix: netip.MustParsePrefix(p)} }
	route := func(p string) plan.Object { return plan.Route{Link: "eth0", Dst: netip.MustParsePrefix(p)} }
	bridge := func(owner plan.Mark) plan.Object { return plan.Link{Mark: owner, Name: "lab0", Type: "bridge"} }
	for name, c := range map[string]struct {
		have          []plan.Object
		waits, shares bool
	}{
		"nothing there":                    {nil, false, false},
		"other addresses":                  {[]plan.Object{address("192.168.123.7/24"), route("0.0.0.0/0")}, false, false},
		"the host is inside":               {[]plan.Object{address("192.168.122.7/24")}, true, false},
		"a part of it is routed":           {[]plan.Object{route("192.168.122.128/25")}, true, false},
		"a wider route covers it":          {[]plan.Object{route("192.168.0.0/16")}, false, false},
		"a wider address covers it":        {[]plan.Object{address("192.168.0.9/16")}, true, false},
		"it is up already":                 {[]plan.Object{address("192.168.122.7/24"), bridge("network/lab")}, false, true},
		"it is up under another name":      {[]plan.Object{address("192.168.122.7/24"), plan.Link{Mark: "network/lab", Name: "old0", Type: "bridge"}}, false, true},
		"a stranger's bridge has its name": {[]plan.Object{address("192.168.122.7/24"), bridge("")}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			have := plan.State{}
			have.Add(eth0)
			have.Add(c.have...)
			free, waiting, shared := plan.Yield(live, plan.Facts{}.Learn(have), have)
			if _, runs := free.Networks["lab"]; runs == c.waits || len(waiting) > 0 != c.waits || len(shared) > 0 != c.shares {
				t.Errorf("runs %v, waits %v, shares %v", runs, waiting, shared)
			}
			for _, m := range append(waiting, shared...) {
				if m.Owner != "network/lab" || !strings.Contains(m.Message, "eth0") {
					t.Errorf("message %v", m)
				}
			}
			if len(live.Networks) != 1 {
				t.Error("the caller's networks were changed")
			}
		})
	}
}
