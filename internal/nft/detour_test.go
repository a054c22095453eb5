package nft

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

// detoured is a namespace with bridges, ifbs, and our tables.
type detoured struct {
	*testing.T
	*Conn
	run func(args ...string) string
}

func newDetoured(t *testing.T) *detoured {
	t.Helper()
	ns := nstest.NS(t)
	c, err := Open(ns, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	d := &detoured{t, c, func(args ...string) string { return nstest.Run(t, ns, args[0], args[1:]...) }}
	for _, link := range []string{"lab0", "a.b-c", "ifb0", "ifb1"} {
		d.run("ip", "link", "add", link, "type", map[bool]string{true: "ifb", false: "bridge"}[strings.HasPrefix(link, "ifb")])
		d.run("ip", "link", "set", link, "up")
	}
	return d
}

func (d *detoured) do(verb plan.Verb, list ...plan.Redirect) {
	d.Helper()
	var ops []plan.Op
	for _, r := range list {
		ops = append(ops, plan.Op{Verb: verb, Object: r})
	}
	for i, err := range d.Apply(context.Background(), ops) {
		if err != nil {
			d.Fatalf("%s: %v", ops[i], err)
		}
	}
}

// sees wants just these redirects.
func (d *detoured) sees(want ...string) {
	d.Helper()
	state, err := d.Observe(context.Background())
	if err != nil {
		d.Fatal(err)
	}
	if got := strings.TrimSpace(state.String()); got != strings.Join(want, "\n") {
		d.Errorf("sees %q, want %q", got, want)
	}
}

func TestNSDetourIsObservedAsSet(t *testing.T) {
	t.Parallel()
	d := newDetoured(t)
	before := d.run("nft", "list", "ruleset")
	lab, odd := plan.Redirect{Link: "lab0", To: "ifb0"}, plan.Redirect{Link: "a.b-c", To: "ifb1"}
	sent := plan.Redirect{Link: "lab0", Sent: true, To: "ifb1"}
	for range 2 {
		d.do(plan.Add, lab, odd, sent)
		d.sees("detour of a.b-c over ifb1", "detour of lab0 over ifb0", "detour of what lab0 sends over ifb1")
	}
	lab.To = "ifb1"
	d.do(plan.Set, lab)
	d.sees("detour of a.b-c over ifb1", "detour of lab0 over ifb1", "detour of what lab0 sends over ifb1")
	text := d.run("nft", "list", "table", "netdev", Table)
	for _, want := range []string{`hook ingress device "lab0"`, `hook egress device "lab0"`, `fwd to "ifb1" comment "a.b-c"`} {
		if !strings.Contains(text, want) {
			t.Errorf("nft does not list %q:\n%s", want, text)
		}
	}
	for range 2 {
		d.do(plan.Del, odd, sent)
		d.sees("detour of lab0 over ifb1")
	}
	d.do(plan.Del, lab)
	d.sees()
	if after := d.run("nft", "list", "ruleset"); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

func TestNSDetourThatIsDamagedLeadsNowhere(t *testing.T) {
	t.Parallel()
	d := newDetoured(t)
	lab := plan.Redirect{Link: "lab0", To: "ifb0"}
	chain := detourChain(lab)
	d.do(plan.Add, lab)
	for name, damage := range map[string][]string{
		"emptied":    {"nft", "flush", "chain", "netdev", Table, chain},
		"one more":   {"nft", "add", "rule", "netdev", Table, chain, "accept"},
		"its ifb":    {"ip", "link", "del", "ifb0"},
		"other rule": {"sh", "-c", "nft flush chain netdev " + Table + " " + chain + "; nft add rule netdev " + Table + " " + chain + ` 'ip ttl 1 drop comment "lab0"'`},
	} {
		d.run(damage...)
		state, err := d.Observe(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := state.String(); strings.Contains(got, "detour of lab0 over ifb0") {
			t.Errorf("%s: sees %s", name, got)
		}
		if name == "its ifb" {
			d.run("ip", "link", "add", "ifb0", "type", "ifb")
		}
		// What an edit made of it, nobody wants.
		for r := range plan.Of[plan.Redirect](state) {
			if r.Link != "lab0" {
				d.do(plan.Del, r)
			}
		}
		d.do(plan.Set, lab)
		d.sees("detour of lab0 over ifb0")
	}
	d.run("nft", "flush", "ruleset")
	d.sees()
	d.do(plan.Add, lab)
	d.sees("detour of lab0 over ifb0")
}

// TestNSDetourSurvivesItsLink, or is made anew with it: kernels differ.
func TestNSDetourSurvivesItsLink(t *testing.T) {
	t.Parallel()
	d := newDetoured(t)
	lab, sent := plan.Redirect{Link: "lab0", To: "ifb0"}, plan.Redirect{Link: "lab0", Sent: true, To: "ifb1"}
	d.do(plan.Add, lab, sent)
	d.run("ip", "link", "del", "lab0")
	d.run("ip", "link", "add", "lab0", "type", "bridge")
	d.do(plan.Set, lab, sent) // what a pass does that sees none
	d.sees("detour of lab0 over ifb0", "detour of what lab0 sends over ifb1")
	d.run("ip", "link", "del", "lab0")
	for range 2 {
		d.do(plan.Del, lab, sent)
		d.sees()
	}
}

// TestNSDetourThatHangsOnNoHookIsSeen and hung on again.
func TestNSDetourThatHangsOnNoHookIsSeen(t *testing.T) {
	t.Parallel()
	d := newDetoured(t)
	lab := plan.Redirect{Link: "lab0", To: "ifb0"}
	d.do(plan.Add, lab)
	const deviceName, hookDevices = 1, 4 // NFTA_DEVICE_NAME, NFTA_HOOK_DEVS
	loose := transaction{family: unix.NFPROTO_NETDEV}
	devices := attributes{}.putText(deviceName, "lab0")
	hook := attributes{}.putUint32(unix.NFTA_HOOK_HOOKNUM, 0).putUint32(unix.NFTA_HOOK_PRIORITY, 0).putNested(hookDevices, devices)
	loose.do(unix.NFT_MSG_DELCHAIN, chainNamed(detourChain(lab)).putNested(unix.NFTA_CHAIN_HOOK, hook))
	if err := d.commit(loose); err != nil {
		t.Skipf("the kernel takes no hook off a chain: %v", err)
	}
	d.sees("detour of lab0 over nowhere")
	d.do(plan.Set, lab)
	d.sees("detour of lab0 over ifb0")
}

func TestNSDetoursAndRulesGoTogether(t *testing.T) {
	t.Parallel()
	d := newDetoured(t)
	d.run("nft", "add table netdev other; add chain netdev other c")
	ops := []plan.Op{
		{Verb: plan.Add, Object: plan.Redirect{Link: "lab0", To: "ifb0"}},
		{Verb: plan.Add, Object: plan.Program{}},
		{Verb: plan.Add, Object: plan.Element{Map: "bridges", ID: "lab0"}},
	}
	for _, err := range d.Apply(t.Context(), ops) {
		if err != nil {
			t.Fatal(err)
		}
	}
	state, err := d.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		if _, there := state[op.Object.Key()]; !there {
			t.Errorf("%s is not there", op.Object)
		}
	}
	refused := d.Apply(t.Context(), []plan.Op{{Verb: plan.Add, Object: plan.Redirect{Link: "lab0", To: "ifb9"}}})[0]
	if refused == nil || !strings.Contains(refused.Error(), "find link ifb9") {
		t.Errorf("refused: %v", refused)
	}
	for i := range ops {
		ops[i].Verb = plan.Del
	}
	d.Apply(t.Context(), ops)
	if text := d.run("nft", "list", "tables"); strings.TrimSpace(text) != "table netdev other" {
		t.Errorf("left: %s", text)
	}
}

func TestPartitionKeepsTheOrder(t *testing.T) {
	t.Parallel()
	op := func(name string) plan.Op { return plan.Op{Object: plan.Element{ID: name}} }
	yes, no := partition([]plan.Op{op("a"), op("B"), op("c"), op("D")}, func(o plan.Op) bool {
		id := o.Object.(plan.Element).ID
		return strings.ToUpper(id) == id
	})
	if len(yes) != 2 || yes[0] != op("B") || len(no) != 2 || no[1] != op("c") {
		t.Errorf("%v, %v", yes, no)
	}
}
