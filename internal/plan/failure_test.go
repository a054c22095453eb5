package plan_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// stumble is a pass in which some ops fail, rules all together, and in which
// whatever those hinder is left out.
func (m *machine) stumble(s *spec.Spec, fails func(plan.Op) bool, after func(plan.Op) error) error {
	want, ops, _ := m.look(s)
	m.record = m.facts().Borrow(want)
	var failed []plan.Op
	for _, op := range ops {
		hindered := slices.ContainsFunc(failed, func(f plan.Op) bool { return f.Hinders(op) })
		if hindered || fails(op) || m.apply(op) != nil {
			failed = append(failed, op)
			continue
		}
		if err := after(op); err != nil {
			return errors.Join(err, errors.New(strings.Join(plan.Lines(ops), "\n")), errors.New("failed: "+strings.Join(plan.Lines(failed), "\n")))
		}
	}
	return nil // the record is kept: something failed
}

// TestFailureOpensNothing lets ops fail on the way from one spec to another.
func TestFailureOpensNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		host := drawHost(t)
		m := host.clone()
		if err := m.converge(drawSpec(t, "first "), nil); err != nil {
			t.Fatal(err)
		}
		whole := m.clone()
		second := drawSpec(t, "second ")
		if err := whole.converge(second, nil); err != nil {
			t.Fatal(err)
		}
		rules := rapid.Bool().Draw(t, "rules fail")
		other := rapid.IntRange(0, 20).Draw(t, "one in")
		n := 0
		fails := func(op plan.Op) bool {
			n++
			if ruled(op) {
				return rules
			}
			return other > 0 && n%other == 0
		}
		if err := m.stumble(second, fails, guard(m, host)); err != nil {
			t.Fatal(err)
		}
		if err := m.converge(second, guard(m, host)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(whole.dump(), m.dump()); diff != "" {
			t.Fatalf("it ends elsewhere (-whole +stumbled):\n%s", diff)
		}
	})
}

// TestDamageIsRepaired takes an object of ours away, or turns a setting.
func TestDamageIsRepaired(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := drawHost(t)
		s := drawSpec(t, "")
		if err := m.converge(s, nil); err != nil {
			t.Fatal(err)
		}
		before := m.dump()
		want, _, _ := m.look(s)
		ours := slices.DeleteFunc(m.state.Owned().Sorted(), func(o plan.Object) bool {
			_, setting := o.(plan.Sysctl)
			_, managed := want[o.Key()]
			return setting && !managed
		})
		if len(ours) == 0 {
			t.Skip("nothing is ours")
		}
		for range rapid.IntRange(1, 3).Draw(t, "blows") {
			hit := rapid.SampledFrom(ours).Draw(t, "hit")
			op := plan.Op{Verb: plan.Del, Object: hit}
			if v, ok := hit.(plan.Sysctl); ok {
				v.Value = rapid.SampledFrom([]string{"0", "1", "2"}).Draw(t, "value")
				op = plan.Op{Verb: plan.Set, Object: v}
			}
			_ = m.apply(op) // what an earlier blow took is gone
		}
		if err := m.converge(s, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(managed(before), managed(m.dump())); diff != "" {
			t.Fatalf("-before +after:\n%s", diff)
		}
	})
}

// managed leaves out the settings that plan does not manage on a host bridge, a
// port, or in a namespace, and the other ends of veth pairs: new devices have them anew.
func managed(dump string) []string {
	return slices.DeleteFunc(strings.Split(dump, "\n"), func(line string) bool {
		inside := strings.HasPrefix(line, "netns ") && strings.Contains(line, " sysctl ")
		return inside && (strings.Contains(line, "/conf/lo/") || !strings.Contains(line, "/forwarding = ") && !strings.Contains(line, "/arp_ignore = ")) || strings.HasPrefix(line, "borrowed net/ipv6/conf/br0") || // a blow may make it forward by itself
			strings.HasSuffix(line, "[bridge/br0]") && strings.HasPrefix(line, "sysctl") ||
			strings.HasPrefix(line, "route ::/0 via fe80::1 dev eth0") || // a blow may cost the learned one
			strings.HasPrefix(line, "sysctl") && !strings.Contains(line, "[network/") && !strings.Contains(line, "disable_ipv6") ||
			strings.HasPrefix(line, "sysctl net/ipv6") && strings.Contains(line, "[network/") && !strings.Contains(line, "disable_ipv6")
	})
}

func TestHinders(t *testing.T) {
	t.Parallel()
	lab, other := plan.Mark("network/lab"), plan.Mark("network/other")
	row := plan.Element{Mark: lab, Map: "from", ID: "lab0", Value: "jump from_isolated"}
	link := plan.Link{Mark: lab, Name: "lab0", Type: "bridge"}
	switchOn := plan.Sysctl{Mark: "host", Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "1", Foreign: true}
	giveBack := plan.Sysctl{Mark: "host", Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "0", Foreign: true, Release: true}
	unplug := plan.Op{Verb: plan.Set, Object: plan.Link{Mark: "port/vm1", Name: "tap1", Type: "tap"},
		Old: plan.Link{Mark: "port/vm1", Name: "tap1", Type: "tap", Master: "lab0"}}
	setting := plan.Sysctl{Mark: lab, Family: "ipv6", Link: "lab0", Name: "forwarding", Value: "0"}
	forward6 := plan.Sysctl{Mark: lab, Family: "ipv6", Link: "lab0", Name: "forwarding", Value: "1"}
	learn := plan.Sysctl{Mark: "host", Family: "ipv6", Link: "eth0", Name: "accept_ra", Value: "2", Foreign: true}
	hostEnd := plan.Link{Mark: "router/r1", Name: "r1-eth0", Type: "veth", Peer: "eth0", PeerNS: "r1"}
	inside := plan.Link{Mark: "router/r1", NS: "r1", Name: "eth0", Type: "veth", Peer: "r1-eth0"}
	plugged := hostEnd
	plugged.Master = "br0"
	held := plan.Element{Mark: "host", Map: "held4", ID: "eth0"}
	isolation := plan.Isolation{Mark: "port/vm1", Link: "tap1", On: true}
	detour := plan.Redirect{Mark: lab, Link: "lab0", To: "ifb_lab"}
	add := func(o plan.Object) plan.Op { return plan.Op{Verb: plan.Add, Object: o} }
	set := func(o plan.Object) plan.Op { return plan.Op{Verb: plan.Set, Object: o} }
	del := func(o plan.Object) plan.Op { return plan.Op{Verb: plan.Del, Object: o} }
	for _, c := range []struct {
		name         string
		failed, next plan.Op
		want         bool
	}{
		{"no bridge without its rows", add(row), add(link), true},
		{"a changed row counts", set(row), set(link), true},
		{"another network goes on", add(row), add(plan.Link{Mark: other, Name: "o0", Type: "bridge"}), false},
		{"nothing without the program", add(plan.Program{}), add(link), true},
		{"an uplink that is not held does not forward", add(held), set(switchOn), true},
		{"a link made while the whole host forwards is held", add(plan.Element{Mark: "host", Map: "held6", ID: "br0"}), add(plan.Link{Mark: "bridge/br0", Name: "br0", Type: "bridge"}), true},
		{"and none is made when it was to stop", set(plan.Sysctl{Mark: "host", Family: "ipv6", Link: "all", Name: "forwarding", Value: "0", Foreign: true, Release: true}), add(link), true},
		{"giving back is always right", add(held), set(giveBack), false},
		{"removing goes on", add(row), del(link), false},
		{"other rules go on", add(row), add(held), false},
		{"an uplink that still forwards stays held", set(giveBack), del(held), true},
		{"a bridge that is still there stays judged", del(link), del(row), true},
		{"and its program stays", del(link), del(plan.Program{}), true},
		{"a row that stays harms nothing", del(row), del(plan.Program{}), false},
		{"a port that is up stays plugged in", del(plan.Up{Mark: "port/vm1", Link: "tap1"}), unplug, true},
		{"a bridge keeps the port it could not lose", unplug, del(link), true},
		{"nor one that is up still", plan.Op{Verb: plan.Del, Object: plan.Up{Mark: "port/vm1", Link: "tap1"}, Old: unplug.Old}, del(link), true},
		{"nor one that could not go", del(plan.Link{Mark: "port/vm1", Name: "tap1", Type: "tap", Master: "lab0"}), del(link), true},
		{"another bridge does not", unplug, del(plan.Link{Mark: other, Name: "o0", Type: "bridge"}), false},
		{"a port stays down without its bridge", unplug, add(plan.Up{Mark: "port/vm1", Link: "tap1"}), true},
		{"a bridge stays down without its settings", add(setting), add(plan.Up{Mark: lab, Link: "lab0"}), true},
		{"another link comes up", add(setting), add(plan.Up{Mark: lab, Link: "lab1"}), false},
		{"no bridge forwards IPv6 at the cost of the host's route", set(learn), add(forward6), true},
		{"but it may stop to", set(learn), add(setting), false},
		{"a router has nothing without its namespace", add(plan.Netns{Mark: "router/r1", Name: "r1"}), add(hostEnd), true},
		{"nor inside", add(plan.Netns{Mark: "router/r1", Name: "r1"}), add(plan.Program{NS: "r1"}), true},
		{"another router goes on", add(plan.Netns{Mark: "router/r2", Name: "r2"}), add(hostEnd), false},
		{"no interface without the program there", add(plan.Program{NS: "r1"}), add(hostEnd), true},
		{"the host goes on", add(plan.Program{NS: "r1"}), add(link), false},
		{"a router goes on without the host's program, but for what is on the host", add(plan.Program{}), add(plan.Addr{Mark: "router/r1", NS: "r1", Link: "eth0"}), false},
		{"no end without the other", add(hostEnd), add(inside), true},
		{"another end", add(hostEnd), add(plan.Link{Mark: "router/r1", NS: "r1", Name: "eth1", Type: "veth", Peer: "r1-eth1"}), false},
		{"a chain counts", add(plan.NewChain(lab, "", "policy_from_lab0")), add(link), true},
		{"what a router's end is judged by stays while it does", del(hostEnd), del(plan.Element{Mark: "host", NS: "r1", Map: "from", ID: "eth0"}), true},
		{"and what judges it before it is plugged in", plan.Op{Verb: plan.Set, Object: plugged, Old: hostEnd}, del(row), true},
		{"the rules of another router do not", del(hostEnd), del(plan.Element{Mark: "host", NS: "r2", Map: "from", ID: "eth0"}), false},
		{"the same name elsewhere", add(inside), add(plan.Up{Link: "eth0"}), false},
		{"a link that cannot be made hinders no rule", add(link), del(row), false},
		{"a bridge that keeps its name keeps its rows", plan.Op{Verb: plan.Set, Object: plan.Link{Mark: lab, Name: "new0", Type: "bridge"}, Old: link}, del(row), true},
		{"a port stays down unless it is kept apart", add(isolation), add(plan.Up{Mark: "port/vm1", Link: "tap1"}), true},
		{"one that could not be let go stays up", del(isolation), add(plan.Up{Mark: "port/vm1", Link: "tap1"}), false},
		{"what frames are led over stays while they are", del(detour), del(plan.Link{Mark: lab, Name: "ifb_lab", Type: "ifb"}), true},
		{"another does not", del(detour), del(plan.Link{Mark: lab, Name: "ifb_db", Type: "ifb"}), false},
		{"a detour that cannot be made hinders nothing", add(detour), add(plan.Up{Mark: lab, Link: "lab0"}), false},
		{"nor does one that stays where it is", plan.Op{Verb: plan.Set, Object: link, Old: link}, del(row), false},
	} {
		if got := c.failed.Hinders(c.next); got != c.want {
			t.Errorf("%s: want %v, got %v: %s → %s", c.name, c.want, got, c.failed, c.next)
		}
	}
}
