package spec

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestGuardsAreWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		guard Guard
		words string
	}{
		{"", ""}, {GuardOff, ""}, {GuardStrict, "mac address server tag storm"},
		{"tag,mac", "mac tag"}, {"storm", "storm"}, {" address ,, server", "address server"}, {"mac address server tag storm", "mac address server tag storm"},
	} {
		if got := strings.Join(test.guard.Words(), " "); got != test.words {
			t.Errorf("%q keeps from %q, want %q", test.guard, got, test.words)
		}
		for _, w := range GuardWords {
			if has := slices.Contains(strings.Fields(test.words), w); test.guard.Has(w) != has {
				t.Errorf("%q has %s: %v", test.guard, w, !has)
			}
		}
		if err := CheckGuard(test.guard); err != nil {
			t.Errorf("%q: %v", test.guard, err)
		}
	}
}

// A user who may choose a guard may choose one that keeps from more.
func TestAGuardCoversWhatKeepsFromLess(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		guard, other Guard
		want         bool
	}{
		{GuardStrict, "mac,storm", true}, {GuardStrict, GuardStrict, true}, {GuardStrict, "", true},
		{"mac,address,server,tag,storm", GuardStrict, true}, {"mac,address,server,tag", GuardStrict, false},
		{"mac,tag", "tag", true}, {"tag", "mac,tag", false}, {GuardOff, GuardOff, true}, {"", GuardOff, true}, {GuardOff, "mac", false},
	} {
		if got := test.guard.Covers(test.other); got != test.want {
			t.Errorf("%q covers %q: %v", test.guard, test.other, got)
		}
	}
}

func TestAPortsGuardStandsBeforeItsNetworks(t *testing.T) {
	t.Parallel()
	strict, silent := &Network{Guard: GuardStrict}, &Network{}
	for _, test := range []struct {
		network *Network
		port    *Port
		want    Guard
	}{
		{silent, nil, GuardOff}, {silent, &Port{}, GuardOff}, {silent, &Port{Guard: "mac"}, "mac"},
		{strict, nil, GuardStrict}, {strict, &Port{}, GuardStrict}, {strict, &Port{Guard: GuardOff}, GuardOff}, {strict, &Port{Guard: "tag"}, "tag"},
	} {
		if got := test.network.GuardOf(test.port); got != test.want {
			t.Errorf("%q, port %+v: got %q, want %q", test.network.Guard, test.port, got, test.want)
		}
	}
}

// Each number is that of the port, else the network's, else the default.
func TestAStormIsMadeOfWhatIsSaid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ network, port, want *Storm }{
		{nil, nil, &Storm{200, 1000}},
		{&Storm{Broadcast: 7}, nil, &Storm{7, 1000}},
		{&Storm{7, 8}, &Storm{Multicast: 9}, &Storm{7, 9}},
		{nil, &Storm{1, 2}, &Storm{1, 2}},
		{&Storm{7, 8}, &Storm{}, &Storm{7, 8}},
	} {
		n := &Network{Storm: test.network}
		if got := n.StormOf(&Port{Storm: test.port}); got != *test.want {
			t.Errorf("%v and %v: got %v, want %v", test.network, test.port, got, *test.want)
		}
		if got := n.StormOf(nil); test.port == nil && got != *test.want {
			t.Errorf("an adopted port of %v: got %v", test.network, got)
		}
	}
}

func TestRulesOfGuards(t *testing.T) {
	t.Parallel()
	guard := func(g Guard) func(*Spec) { return lab(func(n *Network) { n.Guard = g }) }
	storm := func(b, m int) func(*Spec) { return lab(func(n *Network) { n.Storm = &Storm{b, m} }) }
	run(t, map[string]rule{
		"off":                    {change: guard(GuardOff)},
		"strict":                 {change: guard(GuardStrict)},
		"words":                  {change: guard("mac, address")},
		"on a bridge of a LAN":   {change: func(s *Spec) { s.Networks["lan"].Guard = GuardStrict }},
		"one number of a storm":  {change: storm(10, 0)},
		"a port's own":           {change: vm1(func(p *Port) { p.Guard, p.Storm = "tag", &Storm{1, maxStorm} })},
		"a misspelled word":      {guard("mac,adress"), `networks.lab.guard: "adress" is not a guard (did you mean address?)`},
		"a misspelled name":      {guard("Strict"), `networks.lab.guard: "Strict" is not a guard (did you mean strict?)`},
		"a word of something":    {guard("vlan"), `networks.lab.guard: "vlan" is not a guard (write off, strict, or some of mac, address, server, tag, storm)`},
		"nothing but a comma":    {guard(","), `networks.lab.guard: "," is not a guard (write off, strict, or some of mac, address, server, tag, storm)`},
		"twice":                  {guard("mac, tag,mac"), `networks.lab.guard: mac is listed twice (remove it)`},
		"off, and not":           {guard("mac,off"), `networks.lab.guard: off is no word beside others (write it alone, or the words it is to be)`},
		"strict twice":           {guard("strict,strict"), `networks.lab.guard: strict is no word beside others (write it alone, or the words it is to be)`},
		"of a port":              {vm1(func(p *Port) { p.Guard = "sever" }), `ports.vm1.guard: "sever" is not a guard (did you mean server?)`},
		"fewer than no frames":   {storm(-1, 5), `networks.lab.storm.broadcast: -1 frames a second are outside 1 to 1000000 (remove it for 200)`},
		"more frames than many":  {storm(5, 1000001), `networks.lab.storm.multicast: 1000001 frames a second are outside 1 to 1000000 (remove it for 1000)`},
		"a storm of a port":      {vm1(func(p *Port) { p.Storm = &Storm{Broadcast: -7} }), `ports.vm1.storm.broadcast: -7 frames a second are outside 1 to 1000000 (remove it for 200)`},
		"a storm of no frames":   {change: storm(0, 0)},
		"a limit of a port":      {change: vm1(func(p *Port) { p.Bandwidth = &Bandwidth{In: Limit{Rate: 8000}} })},
		"a limit without a rate": {vm1(func(p *Port) { p.Bandwidth = &Bandwidth{Out: Limit{Burst: 1024}} }), `ports.vm1.bandwidth.out: " burst 1kb" is not a limit such as 10mbit or 10mbit peak 20mbit burst 512kb`},
	})
}

func vm1(change func(*Port)) func(*Spec) { return func(s *Spec) { change(s.Ports["vm1"]) } }

func TestRulesOfAccess(t *testing.T) {
	t.Parallel()
	access := func(list ...Access) func(*Spec) { return lab(func(n *Network) { n.Access = list }) }
	run(t, map[string]rule{
		"a user and a group": {change: access(Access{User: "alice", Ports: 5, Guards: []Guard{"mac", GuardStrict}}, Access{Group: "alice"}, Access{User: "1000"})},
		"on a LAN":           {change: func(s *Spec) { s.Networks["lan"].Access = []Access{{Group: "kvm"}} }},
		"nobody":             {access(Access{Ports: 1}), "networks.lab.access[0]: it does not say who may have ports (write user: or group:)"},
		"both":               {access(Access{User: "alice", Group: "kvm"}), "networks.lab.access[0]: it names a user and a group (write two lines)"},
		"two in one":         {access(Access{User: "alice bob"}), `networks.lab.access[0].user: "alice bob" is neither a name nor a number (write one name a line)`},
		"a colon":            {access(Access{Group: "a:b"}), `networks.lab.access[0].group: "a:b" is neither a name nor a number (write one name a line)`},
		"fewer than no port": {access(Access{User: "alice", Ports: -1}), "networks.lab.access[0].ports: -1 is not a number of ports (remove it for any number)"},
		"a user twice":       {access(Access{User: "alice", Ports: 1}, Access{User: "bob"}, Access{User: "alice"}), "networks.lab.access[2]: user alice is listed twice (write one line for each)"},
		"a group twice":      {access(Access{Group: "kvm"}, Access{Group: "kvm"}), "networks.lab.access[1]: group kvm is listed twice (write one line for each)"},
		"a missing guard":    {access(Access{User: "alice", Guards: []Guard{""}}), "networks.lab.access[0].guards[0]: the guard is missing (remove it, users may always leave the guard to the network)"},
		"a guard twice":      {access(Access{User: "alice", Guards: []Guard{"mac", "off", "mac"}}), "networks.lab.access[0].guards[2]: mac is listed twice (remove it)"},
		"no guard":           {access(Access{User: "alice", Guards: []Guard{"of"}}), `networks.lab.access[0].guards[0]: "of" is not a guard (did you mean off?)`},
		"too many":           {access(make([]Access, maxAccess+1)...), "networks.lab.access: the list has 257 elements, at most 256 are allowed"},
		"too many guards":    {access(Access{User: "alice", Guards: make([]Guard, maxAccess+1)}), "networks.lab.access[0].guards: the list has 257 elements, at most 256 are allowed"},
	})
}

func TestRulesOfQueuesAndHeldPorts(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"queues of a tap":        {change: vm1(func(p *Port) { p.Queues = 256 })},
		"one queue of a veth":    {change: func(s *Spec) { s.Ports["vm2"].Queues = 1 }},
		"held by others":         {change: vm1(func(p *Port) { p.Held = HeldOutside })},
		"held open":              {change: vm1(func(p *Port) { p.Held, p.Type = HeldOpen, Tap })},
		"unplugged":              {change: vm1(func(p *Port) { p.Unplugged = true })},
		"more than the kernel's": {vm1(func(p *Port) { p.Queues = 257 }), "ports.vm1.queues: 257 queues are outside 1 to 256 (remove it for one)"},
		"fewer than no queue":    {vm1(func(p *Port) { p.Queues = -2 }), "ports.vm1.queues: -2 queues are outside 1 to 256 (remove it for one)"},
		"queues of a veth":       {func(s *Spec) { s.Ports["vm2"].Queues = 2 }, "ports.vm2.queues: a veth has no queues of its own, only a tap has (remove it)"},
		"no way to be held":      {vm1(func(p *Port) { p.Held = "opne" }), `ports.vm1.held: "opne" is not a way in which a port is held (did you mean open?)`},
		"no way at all":          {vm1(func(p *Port) { p.Held = "forever" }), `ports.vm1.held: "forever" is not a way in which a port is held (the ways are outside or open)`},
		"a veth that is open":    {func(s *Spec) { s.Ports["vm2"].Held = HeldOpen }, "ports.vm2.held: no program opens a veth of ours, only a tap (remove it)"},
	})
}

func TestNothingGuardsAMacvtap(t *testing.T) {
	t.Parallel()
	const because = ": frames of a macvtap do not pass the host's bridge, so nothing guards them"
	port := func(change func(*Port)) func(*Spec) { return onNIC(func(s *Spec) { change(s.Ports["vm2"]) }) }
	run(t, map[string]rule{
		"off":      {change: onNIC(func(s *Spec) { s.Networks["lan"].Guard, s.Ports["vm2"].Guard = GuardOff, GuardOff })},
		"access":   {change: onNIC(func(s *Spec) { s.Networks["lan"].Access = []Access{{User: "alice"}} })},
		"a guard":  {onNIC(func(s *Spec) { s.Networks["lan"].Guard = "mac" }), "networks.lan.guard" + because + " (use a bridge: {name: br0})"},
		"a storm":  {onNIC(func(s *Spec) { s.Networks["lan"].Storm = &Storm{} }), "networks.lan.storm" + because + " (use a bridge: {name: br0})"},
		"a port":   {port(func(p *Port) { p.Guard = GuardStrict }), "ports.vm2.guard" + because + " (put it on a network with a bridge)"},
		"its type": {port(func(p *Port) { p.Type, p.Storm = Macvtap, &Storm{} }), "ports.vm2.storm" + because + " (put it on a network with a bridge)"},
		"a limit":  {port(func(p *Port) { p.Bandwidth = &Bandwidth{} }), "ports.vm2.bandwidth: limits are for ports of bridges, not for a macvtap (put it on a network with a bridge)"},
		"queues":   {port(func(p *Port) { p.Queues = 2 }), "ports.vm2.queues: a macvtap has no queues of its own, only a tap has (remove it)"},
		"held":     {port(func(p *Port) { p.Held = HeldOpen }), "ports.vm2.held: no program opens a macvtap of ours, only a tap (remove it)"},
	})
}

// The guest of an interface that others made has a MAC that nobody told us. Two of
// them do not clash, and Default makes none up.
func TestHeldPortsMayHaveAnUnknownMAC(t *testing.T) {
	t.Parallel()
	held := func() *Port { return &Port{Network: "lab", Held: HeldOutside} }
	a, b := valid(), &Spec{Ports: map[string]*Port{"tap0": held(), "tap1": held(), "vm3": {Network: "lab", Held: HeldOpen}}}
	s := a.Merge(b)
	s.Default()
	if problems := s.Validate(); problems != nil {
		t.Error(problems)
	}
	for name, p := range b.Ports {
		if got := s.Ports[name]; got.MAC.IsZero() != (p.Held == HeldOutside) || got.Interface == "" || p.Interface != "" {
			t.Errorf("%s: %+v, of %+v", name, got, p)
		}
	}
	before := *s.Ports["tap0"]
	s.Default()
	if after := s.Ports["tap0"]; after.MAC != before.MAC || after.Interface != before.Interface {
		t.Errorf("a second Default changed %+v to %+v", before, after)
	}
	s.Ports["tap1"].Interface = s.Ports["tap0"].Interface
	if problems := s.Validate(); len(problems) == 0 {
		t.Error("two ports share an interface")
	}
}

func TestAGuardIsReadFromAWordOrAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Guard{`"strict"`: GuardStrict, `["mac","tag"]`: "mac, tag", `"mac,tag"`: "mac,tag", `[]`: "", `""`: ""} {
		var p Port
		if err := json.Unmarshal([]byte(`{"guard":`+text+`}`), &p); err != nil || p.Guard != want {
			t.Errorf("%s: got %q, %v", text, p.Guard, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"guard":7}`), &Port{}); err == nil {
		t.Error("7 is read as a guard")
	}
}
