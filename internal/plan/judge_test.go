package plan_test

import (
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

const judgeForwards = `,
  "forwards": {
    "web": {"network": "lab", "listen": "8080", "to": "10.9.0.5:80"},
    "games": {"network": "lab", "protocol": "udp", "listen": "2000-2999", "to": "10.9.0.6"},
    "one": {"network": "lab", "listen": "198.51.100.5:3000-3005", "to": "10.9.0.7"},
    "float": {"network": "red", "floating": "192.168.1.120", "to": "10.0.1.20"},
    "inner": {"network": "db", "listen": "22", "to": "10.8.0.7"}
  }
}`

func judgeOf(t *testing.T, ops ...plan.Op) *plan.Judge {
	t.Helper()
	m := labMachine(t)
	s := readSpec(t, strings.TrimSuffix(labSpec, "\n}")+judgeForwards)
	return plan.NewJudge(s, m.facts(), plan.Build(s, m.facts()), ops)
}

// flow reads "ns flags protocol src>dst answers src>dst".
func flow(t *testing.T, text string) plan.Flow {
	t.Helper()
	f := strings.Fields(text)
	pair := func(s string) plan.Tuple {
		a, b, _ := strings.Cut(s, ">")
		return plan.Tuple{Src: netip.MustParseAddrPort(a), Dst: netip.MustParseAddrPort(b)}
	}
	fl := plan.Flow{NS: strings.TrimPrefix(f[0], "host"), Orig: pair(f[3]), Reply: pair(f[4])}
	fl.Protocol = map[string]uint8{"tcp": 6, "udp": 17, "icmp": 1}[f[2]]
	fl.Permitted, fl.DNAT, fl.SNAT = strings.Contains(f[1], "p"), strings.Contains(f[1], "d"), strings.Contains(f[1], "s")
	return fl
}

func TestJudgeFindsWhatWouldNotBeginAnyMore(t *testing.T) {
	t.Parallel()
	j := judgeOf(t)
	for _, c := range []struct {
		name, flow string
		stale      bool
	}{
		{"a guest leaves", "host ps tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>198.51.100.5:4000", false},
		{"its outside address is gone", "host ps tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>198.51.100.77:4000", true},
		{"it left without translation", "host p tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>10.9.0.9:4000", true},
		{"an isolated guest must not", "host p tcp 10.8.0.9:4000>192.0.2.1:80 192.0.2.1:80>10.8.0.9:4000", true},
		{"of a network that is gone", "host p tcp 10.66.0.9:4000>192.0.2.1:80 192.0.2.1:80>10.66.0.9:4000", true},
		{"strangers", "host - tcp 10.66.0.9:4000>192.0.2.1:80 192.0.2.1:80>10.66.0.9:4000", false},
		{"Docker's", "host ds tcp 203.0.113.7:4000>198.51.100.5:9999 172.17.0.2:80>203.0.113.7:4000", false},
		{"a guest and the host", "host - tcp 10.9.0.9:4000>10.9.0.1:22 10.9.0.1:22>10.9.0.9:4000", false},
		{"a forward", "host pd tcp 203.0.113.7:4000>198.51.100.5:8080 10.9.0.5:80>203.0.113.7:4000", false},
		{"a forward to another guest", "host pd tcp 203.0.113.7:4000>198.51.100.5:8080 10.9.0.4:80>203.0.113.7:4000", true},
		{"a forward that is gone, or another's", "host pd tcp 203.0.113.7:4000>198.51.100.5:8081 10.9.0.5:80>203.0.113.7:4000", false},
		{"of the host itself", "host ds tcp 127.0.0.1:4000>127.0.0.1:8080 10.9.0.5:80>10.9.0.1:4000", false},
		{"of the host itself, elsewhere", "host ds tcp 127.0.0.1:4000>127.0.0.1:8080 10.9.0.4:80>10.9.0.1:4000", true},
		{"of the host itself, gone or another's", "host ds tcp 127.0.0.1:4000>127.0.0.1:8088 10.9.0.5:80>10.9.0.1:4000", false},
		{"in a range", "host pd udp 203.0.113.7:4000>198.51.100.5:2500 10.9.0.6:2500>203.0.113.7:4000", false},
		{"in a range, elsewhere", "host pd udp 203.0.113.7:4000>198.51.100.5:2500 10.9.0.6:2501>203.0.113.7:4000", true},
		{"beside the range", "host pd udp 203.0.113.7:4000>198.51.100.5:3500 10.9.0.6:3500>203.0.113.7:4000", false},
		{"another protocol", "host pd tcp 203.0.113.7:4000>198.51.100.5:2500 10.9.0.6:2500>203.0.113.7:4000", false},
		{"in a range of one address", "host pd tcp 203.0.113.7:4000>198.51.100.5:3004 10.9.0.7:3004>203.0.113.7:4000", false},
		{"of another address", "host pd tcp 203.0.113.7:4000>198.51.100.6:3004 10.9.0.7:3004>203.0.113.7:4000", false},
		{"a forward into an isolated network", "host pd tcp 203.0.113.7:4000>198.51.100.5:22 10.8.0.7:22>203.0.113.7:4000", false},
		{"hairpin", "host pds tcp 10.9.0.9:4000>198.51.100.5:8080 10.9.0.5:80>10.9.0.1:4000", false},
		{"peers", "host p tcp 10.9.0.9:4000>10.8.0.9:5432 10.8.0.9:5432>10.9.0.9:4000", false},
		{"a policy permits", "host p tcp 10.7.0.9:4000>10.8.0.9:5432 10.8.0.9:5432>10.7.0.9:4000", false},
		{"but not that port", "host p tcp 10.7.0.9:4000>10.8.0.9:5433 10.8.0.9:5433>10.7.0.9:4000", true},
		{"a policy forbids", "host p tcp 203.0.113.7:4000>10.7.0.9:22 10.7.0.9:22>203.0.113.7:4000", true},
		{"a routed network is reached", "host p tcp 203.0.113.7:4000>10.7.0.9:80 10.7.0.9:80>203.0.113.7:4000", false},
		{"a network behind a router of the host's", "host ps tcp 10.0.3.9:4000>192.0.2.1:80 192.0.2.1:80>198.51.100.5:4000", false},
		{"a router's guest leaves", "r1 ps tcp 10.0.1.9:4000>192.0.2.1:80 192.0.2.1:80>192.168.1.100:4000", false},
		{"with an address that is gone", "r1 ps tcp 10.0.1.9:4000>192.0.2.1:80 192.0.2.1:80>192.168.1.101:4000", true},
		{"with the chosen source", "r1 ps tcp 10.0.2.9:4000>192.0.2.1:80 192.0.2.1:80>192.168.1.110:2004", false},
		{"with another port", "r1 ps tcp 10.0.2.9:4000>192.0.2.1:80 192.0.2.1:80>192.168.1.110:4000", true},
		{"to what it may not leave to", "r1 ps tcp 10.0.2.9:4000>192.0.2.1:443 192.0.2.1:443>192.168.1.110:2004", true},
		{"a floating address, in", "r1 pd tcp 192.0.2.1:4000>192.168.1.120:25 10.0.1.20:25>192.0.2.1:4000", false},
		{"a floating address, out", "r1 ps icmp 10.0.1.20:0>192.0.2.1:0 192.0.2.1:0>192.168.1.120:0", false},
		{"out with the uplink's, before it floated", "r1 ps icmp 10.0.1.20:0>192.0.2.1:0 192.0.2.1:0>192.168.1.100:0", true},
		{"in a router without a forward", "r1 pd tcp 192.0.2.1:4000>192.168.1.100:25 10.0.1.20:25>192.0.2.1:4000", true},
		{"it floated to another", "r1 pd tcp 192.0.2.1:4000>192.168.1.120:25 10.0.1.21:25>192.0.2.1:4000", true},
		{"routed, not translated", "r2 p tcp 10.0.3.9:4000>192.0.2.1:80 192.0.2.1:80>10.0.3.9:4000", false},
		{"routed, and translated before", "r2 ps tcp 10.0.3.9:4000>192.0.2.1:80 192.0.2.1:80>10.9.0.2:4000", true},
	} {
		if got := j.Stale(flow(t, c.flow)); got != c.stale {
			t.Errorf("%s: stale %v, want %v", c.name, got, c.stale)
		}
	}
}

// A forward that goes, or changes, takes its connections along, those of the host
// itself and of open networks too, which nobody labels; what others lead into our
// networks goes on.
func TestJudgeEndsWhatRemovedForwardsLed(t *testing.T) {
	t.Parallel()
	row := func(set, id, value string) plan.Element { return plan.Element{Map: set, ID: id, Value: value} }
	j := judgeOf(t,
		plan.Op{Verb: plan.Del, Object: row("forward4", "tcp . 8081", "10.9.0.5 . 80")},
		plan.Op{Verb: plan.Del, Object: row("forward_range4", "udp . 2000-3999", "10.9.0.6")},
		plan.Op{Verb: plan.Del, Object: row("forward_range_at4", "198.51.100.5 . tcp . 4000-4001", "10.66.0.9")},
		plan.Op{Verb: plan.Del, Object: row("floating4", "198.51.100.50", "10.9.0.9")},
		plan.Op{Verb: plan.Set, Object: row("forward4", "tcp . 8080", "10.9.0.5 . 80"), Old: row("forward4", "tcp . 8080", "10.9.0.4 . 80")},
		plan.Op{Verb: plan.Add, Object: row("forward_at4", "198.51.100.5 . tcp . 3000", "10.9.0.7 . 3000")})
	for _, c := range []struct {
		name, flow string
		stale      bool
	}{
		{"gone", "host pd tcp 203.0.113.7:4000>198.51.100.5:8081 10.9.0.5:80>203.0.113.7:4000", true},
		{"gone, of the host itself", "host ds tcp 127.0.0.1:4000>127.0.0.1:8081 10.9.0.5:80>10.9.0.1:4000", true},
		{"gone, not labelled", "host d tcp 203.0.113.7:4000>198.51.100.5:8081 10.9.0.5:80>203.0.113.7:4000", true},
		{"another's, of that port", "host pd tcp 203.0.113.7:4000>198.51.100.5:8081 10.9.0.8:80>203.0.113.7:4000", false},
		{"another's", "host pd tcp 203.0.113.7:4000>198.51.100.5:9999 10.9.0.5:80>203.0.113.7:4000", false},
		{"another's, not labelled", "host d tcp 203.0.113.7:4000>198.51.100.5:9999 10.9.0.5:80>203.0.113.7:4000", false},
		{"another's, where a policy forbids", "host pd tcp 203.0.113.7:4000>198.51.100.5:9999 10.7.0.9:22>203.0.113.7:4000", true},
		{"in the old range", "host pd udp 203.0.113.7:4000>198.51.100.5:3500 10.9.0.6:3500>203.0.113.7:4000", true},
		{"in the old range and the new", "host pd udp 203.0.113.7:4000>198.51.100.5:2500 10.9.0.6:2500>203.0.113.7:4000", false},
		{"gone with its network", "host d tcp 203.0.113.7:4000>198.51.100.5:4000 10.66.0.9:4000>203.0.113.7:4000", true},
		{"the floating address is gone", "host pd tcp 203.0.113.7:4000>198.51.100.50:25 10.9.0.9:25>203.0.113.7:4000", true},
		{"it leads elsewhere now", "host pd tcp 203.0.113.7:4000>198.51.100.5:8080 10.9.0.4:80>203.0.113.7:4000", true},
		{"as it leads now", "host d tcp 203.0.113.7:4000>198.51.100.5:8080 10.9.0.5:80>203.0.113.7:4000", false},
	} {
		if got := j.Stale(flow(t, c.flow)); got != c.stale {
			t.Errorf("%s: stale %v, want %v", c.name, got, c.stale)
		}
	}
}

// A source that the host leaves with, or left with, goes on leading back.
func TestJudgeLetsConnectionsKeepTheSourceOfARange(t *testing.T) {
	t.Parallel()
	s := readSpec(t, strings.Replace(labSpec, `"mode": "nat"`, `"mode": "nat", "nat": {"address": "203.0.113.8", "ports": "2000-2999"}`, 1))
	m := labMachine(t)
	j := plan.NewJudge(s, m.facts(), plan.Build(s, m.facts()), nil)
	for name, c := range map[string]struct {
		flow  string
		stale bool
	}{
		"the source it has":   {"host ps tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>203.0.113.8:2005", false},
		"the one it had":      {"host ps tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>203.0.113.7:2005", false},
		"the host's":          {"host ps tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>198.51.100.5:4000", false},
		"its own":             {"host p tcp 10.9.0.9:4000>192.0.2.1:80 192.0.2.1:80>10.9.0.9:4000", true},
		"its own, to a group": {"host p udp 10.9.0.9:4000>239.1.1.1:80 239.1.1.1:80>10.9.0.9:4000", false},
	} {
		if got := j.Stale(flow(t, c.flow)); got != c.stale {
			t.Errorf("%s: stale %v", name, got)
		}
	}
}

func TestAnnounceAndSevers(t *testing.T) {
	t.Parallel()
	m := labMachine(t)
	if err := m.converge(readSpec(t, labSpec), nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, change, with string
		announce           []string
		severs             bool
	}{
		{"nothing", "", "", nil, false},
		{"the uplink's address", "192.168.1.100", "192.168.1.101", []string{"192.168.1.101/24"}, true},
		{"re-plugged", `"bridge": "br0", "address"`, `"bridge": "br9", "address"`, []string{"192.168.1.100/24", "192.168.1.110/32"}, false},
		{"another MAC", `"address": "192.168.1.100/24"`, `"address": "192.168.1.100/24", "mac": "52:54:00:00:00:07"`, []string{"192.168.1.100/24", "192.168.1.110/32"}, false},
		{"a bridge's MAC", `"mode": "nat", "bridge": {"name": "lab0"`, `"mode": "nat", "bridge": {"mac": "52:54:00:00:00:07", "name": "lab0"`, []string{"10.9.0.1/24"}, false},
		{"a bridge's name", `"mode": "nat", "bridge": {"name": "lab0"`, `"mode": "nat", "bridge": {"name": "new0"`, nil, true},
		{"a new gateway", `"10.0.2.1/24"`, `"10.0.2.1/24, 10.0.7.1/24"`, []string{"10.0.7.1/24"}, true},
		{"a policy", `"ports": "5432"`, `"ports": "5433"`, nil, true},
		{"a new policy", `"policies": {`, `"policies": {"n": {"from": "red", "to": "outside", "deny": [{}]},`, nil, true},
		{"a policy less", `,
    "inner": {"from": "red", "to": "blue", "allow": [{}]}`, "", nil, true},
		{"a new network", `"networks": {`, `"networks": {"new": {"mode": "nat", "bridge": {"name": "new0"}, "subnets": [{"address": "10.44.0.1/24"}]},`, nil, false},
		{"a forward", `"policies": {`, `"forwards": {"web": {"network": "lab", "listen": "80", "to": "10.9.0.9"}}, "policies": {`, nil, false},
		{"a floating address", `"policies": {`, `"forwards": {"f": {"network": "lab", "floating": "198.51.100.50", "to": "10.9.0.9"}}, "policies": {`, []string{"198.51.100.50/32"}, true},
	} {
		n := m.clone()
		if err := n.observe("device br9 bridge"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(labSpec, c.change) {
			t.Fatalf("%s: nothing to change", c.name)
		}
		want, ops, _ := n.look(readSpec(t, strings.Replace(labSpec, c.change, c.with, 1)))
		var got []string
		for _, a := range plan.Announce(ops, want) {
			got = append(got, a.Prefix.String())
		}
		if strings.Join(got, " ") != strings.Join(c.announce, " ") {
			t.Errorf("%s: announces %v, want %v", c.name, got, c.announce)
		}
		if plan.Severs(ops) != c.severs {
			t.Errorf("%s: severs %v, after\n%s", c.name, !c.severs, strings.Join(plan.Lines(ops), "\n"))
		}
	}
}
