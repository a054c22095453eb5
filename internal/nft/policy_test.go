package nft

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/plan"
)

// stance replaces a network's judges.
func stance(bridge, from, to string) []plan.Object {
	return []plan.Object{el("from", bridge, "jump from_"+from), el("to", bridge, "jump to_"+to)}
}

// lead makes a chain for a network and the row that leads to it.
func lead(which, bridge string, rules ...string) []plan.Object {
	name := which + "_" + bridge
	return []plan.Object{plan.NewChain("network/"+plan.Mark(bridge), "", name, rules...), el(which, bridge, "jump "+name)}
}

// attempt is a connection and what is to become of it.
type attempt struct {
	from, to, protocol string
	want               bool
}

func (l *lab) attempts(t *testing.T, what string, list []attempt) {
	t.Helper()
	var jobs []func()
	for _, a := range list {
		from, to := l.machines[a.from], l.machines[a.to]
		for _, dst := range []netip.Addr{to.v4, to.v6} {
			jobs = append(jobs, func() {
				wait := no
				if a.want {
					wait = yes
				}
				if _, err := from.reach(a.protocol, dst, wait); (err == nil) != a.want {
					t.Errorf("%s: %s of %s to %s: error %v, want reached %v", what, a.protocol, a.from, dst, err, a.want)
				}
			})
		}
	}
	each(jobs)
}

func TestNSPeeredNetworksReachEachOtherWithTheirOwnAddresses(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"a"}}, network{"nat1", "nat", []string{"b"}}, network{"nat2", "nat", []string{"c"}},
		network{"iso0", "isolated", []string{"d"}})
	l.apply(plan.Set, stance("iso0", "closed", "closed")...)
	for _, pair := range []string{"nat0 . nat1", "nat0 . iso0"} {
		a, b, _ := strings.Cut(pair, between)
		l.apply(plan.Add, el("peered", pair, ""), el("peered", b+between+a, ""))
	}
	l.attempts(t, "peered", []attempt{
		{"a", "b", "tcp", true}, {"b", "a", "udp", true}, {"a", "b", "icmp", true}, {"a", "d", "tcp", true}, {"d", "a", "udp", true},
		{"a", "c", "tcp", false}, {"c", "b", "udp", false}, {"b", "d", "tcp", false}, {"d", "outside", "tcp", false}, {"outside", "d", "udp", false},
		{"a", "outside", "tcp", true}, {"outside", "a", "tcp", false},
	})
	l.apply(plan.Add, lead("policy_to", "nat1", `iifname "nat0" udp dport 7 drop`)...)
	l.attempts(t, "peered, but for one port", []attempt{{"a", "b", "tcp", true}, {"a", "b", "udp", false}, {"b", "a", "udp", true}})
	if saw, _ := l.machines["a"].reach("tcp", l.machines["b"].v4, yes); saw != l.machines["a"].v4.String() {
		t.Errorf("a is seen by b as %s", saw)
	}
}

func TestNSStancesDecideWhereNoPolicyDoes(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "route", []string{"a"}}, network{"net1", "nat", []string{"b"}}, network{"net2", "route", []string{"c"}})
	for _, c := range []struct {
		name, from, to string
		out, in        bool
		across, back   bool // to and from c, a routed network
	}{
		{"open", "route", "route", true, true, true, true},
		{"outbound", "nat", "nat", true, false, false, false},
		{"isolated", "closed", "closed", false, false, false, false},
	} {
		l.apply(plan.Set, stance("net0", c.from, c.to)...)
		l.attempts(t, c.name, []attempt{
			{"a", "outside", "tcp", c.out}, {"a", "outside", "udp", c.out}, {"outside", "a", "tcp", c.in}, {"outside", "a", "udp", c.in},
			{"a", "c", "tcp", c.across}, {"c", "a", "tcp", c.back}, {"a", "b", "tcp", false},
		})
	}
}

func TestNSPoliciesAllowDenyAndReject(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"lab0", "nat", []string{"a"}}, network{"db0", "nat", []string{"b"}}, network{"iso0", "isolated", []string{"c"}})
	l.apply(plan.Set, stance("iso0", "closed", "closed")...)
	l.apply(plan.Add, lead("policy_from", "lab0",
		`oifname "db0" meta l4proto tcp th dport { 7, 5432 } counter goto permit comment "policy/db allow 0"`,
		`oifname "eth0" udp dport 7 counter drop comment "policy/out deny 0"`,
		`oifname "eth0" meta l4proto { icmp, icmpv6 } counter reject with icmpx admin-prohibited comment "policy/out deny 1"`)...)
	l.apply(plan.Add, lead("policy_to", "iso0", `iifname "eth0" tcp dport 7 counter goto permit comment "policy/in allow 0"`)...)
	l.apply(plan.Add, lead("policy_from", "iso0", `oifname "eth1" counter goto permit comment "policy/egress allow 0"`)...)
	l.attempts(t, "policies", []attempt{
		{"a", "b", "tcp", true}, {"a", "b", "udp", false}, {"a", "b", "icmp", false}, {"b", "a", "tcp", false},
		{"a", "outside", "tcp", true}, {"a", "outside", "udp", false}, {"a", "outside", "icmp", false}, {"a", "other", "udp", true},
		{"outside", "c", "tcp", true}, {"outside", "c", "udp", false}, {"other", "c", "tcp", false},
		{"c", "other", "tcp", true}, {"c", "outside", "tcp", false}, {"c", "a", "tcp", false}, {"a", "c", "tcp", false},
	})
	rules, err := l.conn.RuleCounters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, r := range rules {
		counts[r.Name] = r.Packets
	}
	// One connection by each family.
	for _, name := range []string{"policy/db allow 0", "policy/out deny 0", "policy/out deny 1", "policy/in allow 0", "policy/egress allow 0"} {
		if counts[name] < 2 {
			t.Errorf("%s counted %d packets: %v", name, counts[name], counts)
		}
	}
}

func TestNSPoliciesJudgeWhatGuestsOpenToTheHost(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"a"}})
	a, gateway := l.machines["a"], l.gateways["net0"][0]
	l.apply(plan.Add, lead("policy_in", "net0", `tcp dport 7 counter reject with icmpx admin-prohibited comment "policy/host deny 0"`)...)
	start := time.Now()
	if _, err := a.reach("tcp", gateway, yes); !errors.Is(err, syscall.EHOSTUNREACH) || time.Since(start) > yes/2 {
		t.Errorf("tcp to the gateway: %v after %s, want an answer that refuses", err, time.Since(start))
	}
	if _, err := a.reach("icmp", gateway, yes); err != nil {
		t.Errorf("ping of the gateway: %v", err)
	}
}

// A guest that floods takes no more than its network's share.
func TestNSCapsBoundTheConnectionsOfANetwork(t *testing.T) {
	t.Parallel()
	const most = 20
	for _, mode := range []string{"nat", "route", "open"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, network{"net0", mode, []string{"a"}}, network{"net1", "nat", []string{"b"}})
			l.apply(plan.Add, lead("caps", "net0", fmt.Sprintf("ct count over %d counter name capped drop", most))...)
			if mode == "open" {
				l.apply(plan.Add, el("input", "net0", "jump in_open"))
			}
			a, outside := l.machines["a"], l.machines["outside"]
			for _, to := range []netip.Addr{outside.v4, l.gateways["net0"][0]} {
				for i := range 10 * most {
					_ = a.send(fmt.Sprintf("flood %d", i), netip.Addr{}, to)
				}
			}
			if l.packets("capped") == 0 {
				t.Error("nothing was refused")
			}
			if n := l.tracked(a.v4); n > most+1 {
				t.Errorf("the host tracks %d connections of the guest, most are %d", n, most)
			}
			if _, err := l.machines["b"].reach("tcp", outside.v4, yes); err != nil {
				t.Errorf("another network is disturbed: %v", err)
			}
			if _, err := l.host.reach("tcp", a.v4, yes); err != nil {
				t.Errorf("the host does not reach the guest: %v", err)
			}
		})
	}
}

// tracked counts the connections of a source.
func (l *lab) tracked(source netip.Addr) int {
	l.t.Helper()
	out, err := l.host.run("", "cat", "/proc/net/nf_conntrack")
	if err != nil {
		l.t.Fatal(err)
	}
	return strings.Count(out, "src="+source.String()+" dst=") // of either direction
}

// While chains and the program are replaced, what is permitted goes on, and
// nothing that is denied slips through.
func TestNSChangesOfPolicyDisturbNothingAndLetNothingThrough(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"lab0", "nat", []string{"a"}}, network{"db0", "nat", []string{"b"}})
	rules := []string{`oifname "db0" tcp dport { 7 } goto permit`, `oifname "db0" udp dport { 7, 8 } drop`, `oifname "db0" goto permit`}
	l.apply(plan.Add, lead("policy_from", "lab0", rules...)...)
	a, b := l.machines["a"], l.machines["b"]
	conn, err := a.dial("tcp", netip.Addr{}, b.v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)
	flood, err := a.dial("udp", netip.Addr{}, b.v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	var sent atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				flood.Write(fmt.Appendf(nil, "flood %d", sent.Add(1)))
			}
		}
	}()
	for i := range 30 {
		more := append(rules[:len(rules):len(rules)], fmt.Sprintf("tcp dport %d drop", i+100))
		l.apply(plan.Set, lead("policy_from", "lab0", more...)[0])
		if i%5 == 0 {
			l.apply(plan.Set, plan.Program{})
		}
		exchange(t, conn)
	}
	close(stop)
	<-stopped
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.seen) > 0 || sent.Load() < 1000 {
		t.Errorf("%d of %d packets slipped through", len(b.seen), sent.Load())
	}
}
