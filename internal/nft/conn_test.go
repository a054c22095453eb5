package nft

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// newConn opens a fresh namespace without any network.
func newConn(t testing.TB) (*Conn, *machine) {
	t.Helper()
	m := newMachine(t, "host")
	c, err := Open(m.ns, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, m
}

// loaded opens a fresh namespace with the program and the elements.
func loaded(t testing.TB, objs ...plan.Object) (*Conn, *machine) {
	t.Helper()
	c, m := newConn(t)
	apply(t, c, plan.Add, append([]plan.Object{plan.Program{Fingerprint: mustFingerprint(t)}}, objs...)...)
	return c, m
}

func observe(t testing.TB, c *Conn) plan.State {
	t.Helper()
	s, err := c.Observe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sameState compares what is observed with the program and these elements.
func sameState(t *testing.T, c *Conn, objs ...plan.Object) {
	t.Helper()
	want := plan.State{}
	want.Add(plan.Program{Fingerprint: mustFingerprint(t)})
	for _, o := range objs {
		switch o := o.(type) {
		case plan.Element:
			o.Mark = "host"
			want.Add(o)
		case plan.Chain:
			want.Add(plan.Chain{Mark: "host", Name: o.Name, Digest: o.Digest})
		}
	}
	if diff := cmp.Diff(want.String(), observe(t, c).String()); diff != "" {
		t.Errorf("observed state (-want +got):\n%s", diff)
	}
}

func el(m, id, value string) plan.Object { return plan.Element{Map: m, ID: id, Value: value} }

// sample has an element in every map, with names that need quotes in nft text.
func sample() []plan.Object {
	return []plan.Object{
		el("bridges", "lab0", ""), el("bridges", "0x7f", ""), el("bridges", "br.100-a_b@c", ""),
		el("segments", "lab0 . lab0", ""), el("segments", "0x7f . 0x7f", ""),
		el("from", "lab0", "jump from_nat"), el("from", "0x7f", "jump from_isolated"),
		el("to", "lab0", "jump to_nat"), el("input", "0x7f", "jump in_silent"),
		el("pinned", "lab0", ""), el("egress", "lab0 . eth0.5", ""),
		el("masquerade4", "lab0", ""), el("masquerade6", "accept", ""),
		el("held4", "eth0", ""), el("held6", "123456789012345", ""),
		el("gateways4", "10.0.0.1", ""), el("gateways6", "fd00::1", ""),
		el("routers", "br0 . 52:54:00:12:34:56", ""), el("peered", "lab0 . db0", ""),
		el("forward4", "tcp . 8080", "10.9.0.5 . 80"), el("forward4", "udp . 8080", "10.9.0.5 . 80"),
		el("forward6", "sctp . 65535", "fd00::5 . 1"),
		el("forward_at4", "192.0.2.1 . tcp . 80", "10.9.0.5 . 8080"),
		el("forward_at6", "2001:db8::1 . udp . 53", "fd00::5 . 53"),
		el("forward_range4", "tcp . 2000-2999", "10.9.0.5"), el("forward_range4", "udp . 2500", "10.9.0.6"),
		el("forward_range6", "tcp . 1-65535", "fd00::5"),
		el("forward_range_at4", "192.0.2.1 . tcp . 3000-3001", "10.9.0.5"),
		el("forward_range_at6", "2001:db8::1 . sctp . 3000-3999", "fd00::5"),
		el("floating4", "192.0.2.7", "10.9.0.7"), el("floating_source4", "10.9.0.7", "192.0.2.7"),
		el("floating6", "2001:db8::7", "fd00::7"), el("floating_source6", "fd00::7", "2001:db8::7"),
		el("steered", "eth0", ""), el("entered", "eth0", "0x00000065"), el("leaves", "lab0", "0x00000101"),
		el("claims4", "vnet0 . 10.0.0.1", ""), el("claims6", "vnet0 . fe80::1", ""), el("hosts", "vnet0", ""),
		el("former", "vnet0 . 52:54:00:00:00:01", "fe:54:00:00:00:02"),
	}
}

func TestNSObserveReturnsWhatApplyMade(t *testing.T) {
	t.Parallel()
	t.Run("with the program", func(t *testing.T) {
		c, _ := loaded(t, sample()...)
		sameState(t, c, sample()...)
	})
	t.Run("over netlink", func(t *testing.T) {
		c, _ := loaded(t)
		apply(t, c, plan.Add, sample()...)
		sameState(t, c, sample()...)
		apply(t, c, plan.Del, sample()...)
		sameState(t, c)
	})
}

func TestNSObserveIsEmptyWithoutTheTable(t *testing.T) {
	t.Parallel()
	c, m := newConn(t)
	m.nft("table ip kvmnet { chain forward { type filter hook forward priority 0; drop; }; }")
	if s := observe(t, c); len(s) != 0 {
		t.Errorf("a stranger's table of another family was taken for ours: %s", s)
	}
}

func TestNSObserveCarriesTheNameOfTheNamespace(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "router")
	c, err := Open(m.ns, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	apply(t, c, plan.Add, plan.Program{NS: "r1"}, plan.Element{NS: "r1", Map: "bridges", ID: "lab0"})
	for key := range observe(t, c) {
		if key.NS != "r1" {
			t.Errorf("%v is not of namespace r1", key)
		}
	}
	errs := c.Apply(t.Context(), []plan.Op{{Verb: plan.Add, Object: plan.Element{Map: "bridges", ID: "lab1"}}})
	if errs[0] == nil || !strings.Contains(errs[0].Error(), `belongs to namespace "", not "r1"`) {
		t.Errorf("an element of another namespace: %v", errs[0])
	}
}

func TestNSObserveSeesForeignChangesAtOnce(t *testing.T) {
	t.Parallel()
	c, m := loaded(t, sample()...)
	sameState(t, c, sample()...)
	m.nft(`delete element inet kvmnet pinned { "lab0" }`)
	sameState(t, c, slices.DeleteFunc(sample(), func(o plan.Object) bool { return o.(plan.Element).Map == "pinned" })...)
	m.nft("flush ruleset")
	if s := observe(t, c); len(s) != 0 {
		t.Errorf("after a flush: %s", s)
	}
}

func TestNSObservedStateBelongsToTheCaller(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t, sample()...)
	clear(observe(t, c))
	sameState(t, c, sample()...)
}

func TestNSApplyTwiceIsNoError(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t)
	for range 2 {
		apply(t, c, plan.Add, sample()...)
		sameState(t, c, sample()...)
	}
	for range 2 {
		apply(t, c, plan.Del, sample()...)
		sameState(t, c)
	}
	for range 2 {
		apply(t, c, plan.Add, plan.Program{})
		sameState(t, c)
	}
	for range 2 {
		apply(t, c, plan.Del, plan.Program{})
		if s := observe(t, c); len(s) != 0 {
			t.Errorf("after the program's deletion: %s", s)
		}
	}
	apply(t, c, plan.Del, sample()...)
}

func TestNSApplyReachesTheWantedStateFromAnyOther(t *testing.T) {
	t.Parallel()
	set := plan.Op{Verb: plan.Set, Object: el("from", "lab0", "jump from_route"), Old: el("from", "lab0", "jump from_nat")}
	add := plan.Op{Verb: plan.Add, Object: set.Object}
	del := plan.Op{Verb: plan.Del, Object: el("bridges", "gone", "")}
	for _, c := range []struct {
		name string
		have []plan.Object
		ops  []plan.Op
	}{
		{"set", []plan.Object{set.Old}, []plan.Op{set}},
		{"set of what is gone", nil, []plan.Op{set}},
		{"set of what is done", []plan.Object{set.Object}, []plan.Op{set}},
		{"add over another verdict", []plan.Object{set.Old}, []plan.Op{add}},
		{"delete of what is gone, with others", nil, []plan.Op{del, add}},
		{"all at once", []plan.Object{set.Old}, []plan.Op{del, add, del}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, _ := loaded(t, c.have...)
			for _, err := range conn.Apply(t.Context(), c.ops) {
				if err != nil {
					t.Error(err)
				}
			}
			sameState(t, conn, set.Object)
		})
	}
}

func TestNSApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c, m := loaded(t)
	// The kernel refuses an element of a set that holds one element at most.
	m.nft("flush chain inet kvmnet pinning\ndelete set inet kvmnet egress\nadd set inet kvmnet egress { type ifname . ifname; size 1; }")
	ops := []plan.Op{
		{Verb: plan.Add, Object: el("bridges", "lab0", "")},
		{Verb: plan.Add, Object: el("egress", "lab0 . eth0", "")},
		{Verb: plan.Add, Object: el("egress", "lab0 . eth1", "")},
	}
	errs := c.Apply(t.Context(), ops)
	if len(errs) != len(ops) {
		t.Fatalf("%d errors for %d ops", len(errs), len(ops))
	}
	for _, err := range errs {
		if !errors.Is(err, unix.ENFILE) {
			t.Errorf("error %v, want %v", err, unix.ENFILE)
		}
	}
	for e := range plan.Of[plan.Element](observe(t, c)) {
		t.Errorf("%s is there", e)
	}
}

func TestNSApplyNamesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	bare, _ := newConn(t)
	full, _ := loaded(t)
	for _, c := range []struct {
		conn   *Conn
		object plan.Object
		want   string
	}{
		{bare, el("from", "lab0", "jump from_nat"), "add element from { lab0 : jump from_nat }: "},
		{full, el("nowhere", "lab0", ""), `the program has no map or set "nowhere"`},
		{full, el("from", "lab0", "jump nowhere"), `"jump nowhere" is not a jump to a chain of the program`},
		{full, el("from", "lab0", ""), `"" is not a jump to a chain of the program`},
		{full, el("bridges", "lab0", "accept"), `bridges: takes no value, got "accept"`},
		{full, el("bridges", "much-too-long-0x", ""), "is not an interface name of 1 to 15 plain characters"},
		{full, el("bridges", `a" }; x`, ""), "is not an interface name"},
		{full, el("bridges", "lab*", ""), "is not an interface name"},
		{full, el("segments", "lab0", ""), `"lab0" does not read lab0 . lab0`},
		{full, el("gateways4", "fd00::1", ""), "is not an address of 32 bits"},
		{full, el("gateways6", "10.0.0.1", ""), "is not an address of 128 bits"},
		{full, el("gateways6", "fe80::1%lab0", ""), "is not an address of 128 bits"},
		{full, el("forward4", "tcp . 80-90", "10.0.0.1 . 80"), `"tcp . 80-90" is a range, and this map takes single ports`},
		{full, el("forward4", "icmp . 80", "10.0.0.1 . 80"), `"icmp" is not tcp, udp or sctp`},
		{full, el("forward4", "tcp . 80", "10.0.0.1"), `forward4: "10.0.0.1" does not read 10.0.0.1 . 80`},
		{full, el("forward4", "tcp . 80", "10.0.0.1 . 80-90"), "a value is no range"},
		{full, el("forward4", "tcp . 080", "10.0.0.1 . 80"), `"080" is not a port`},
		{full, el("forward_range4", "tcp . 90-80", "10.0.0.1"), `"90-80" is not a port or a range of ports such as 2000-2999`},
		{full, el("entered", "eth0", "257"), `"257" is not a mark such as 0x00000101`},
		{full, plan.NewChain("host", "", "forward", "drop"), "has no name of a chain that is made for an object"},
		{full, plan.NewChain("host", "", "caps_lab0", "accept", "drp"), "chain caps_lab0: "},
		{full, el("caps", "lab0", "jump caps_lab0"), "add element caps { lab0 : jump caps_lab0 }: "},
		{full, plan.Up{Link: "lab0"}, "link lab0 up: is not an object of nftables"},
	} {
		errs := c.conn.Apply(t.Context(), []plan.Op{{Verb: plan.Add, Object: c.object}})
		if errs[0] == nil || !strings.Contains(errs[0].Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.object, errs[0], c.want)
		}
	}
	sameState(t, full)
}

func TestNSManyElementsArriveAll(t *testing.T) {
	t.Parallel()
	var objs []plan.Object
	for i := range 5000 {
		objs = append(objs, el("bridges", fmt.Sprintf("b%d", i), ""), el("from", fmt.Sprintf("b%d", i), "jump from_nat"))
	}
	c, _ := loaded(t)
	apply(t, c, plan.Add, objs...)
	sameState(t, c, objs...)
	apply(t, c, plan.Set, plan.Program{})
	sameState(t, c, objs...)
	apply(t, c, plan.Del, objs...)
	sameState(t, c)
}

func TestNSReplacingTheProgramKeepsElementsAndRepairsTheRest(t *testing.T) {
	t.Parallel()
	c, m := loaded(t, sample()...)
	m.nft(`insert rule inet kvmnet forward accept
		add set inet kvmnet strangers { type ifname; elements = { "x" }; }
		add chain inet kvmnet stray
		add element inet kvmnet from { "old0" : jump stray }`)
	if p := observe(t, c)[plan.Program{}.Key()].(plan.Program); p.Fingerprint == mustFingerprint(t) {
		t.Fatal("the fingerprint does not show the inserted rule")
	}
	apply(t, c, plan.Set, plan.Program{}, el("held4", "eth9", ""))
	sameState(t, c, append(sample(), el("held4", "eth9", ""))...)
}

func TestNSRuleCountDoesNotDependOnNetworks(t *testing.T) {
	t.Parallel()
	count := func(networks int) (rules, chains int) {
		c, _ := loaded(t, manyNetworks(networks)...)
		tab, err := c.table(unix.NFPROTO_INET)
		if err != nil {
			t.Fatal(err)
		}
		return len(tab.rules), len(tab.chains)
	}
	oneRules, oneChains := count(1)
	rules, chains := count(500)
	if rules != oneRules || chains != oneChains || rules == 0 {
		t.Errorf("%d rules in %d chains with 500 networks, %d in %d with one", rules, chains, oneRules, oneChains)
	}
}

// manyNetworks are the elements of nat networks, nine each.
func manyNetworks(n int) []plan.Object {
	var objs []plan.Object
	for i := range n {
		objs = append(objs, rows("nat", fmt.Sprintf("lab%d", i),
			netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}),
			netip.MustParseAddr(fmt.Sprintf("fd00:%x::1", i)))...)
	}
	return objs
}

func TestNSForeignTablesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	c, m := newConn(t)
	m.nft(`table inet filter { set s { type ifname; elements = { "a" }; }; chain forward { type filter hook forward priority filter; policy drop; counter accept; }; }
		table ip kvmnet { chain from_nat { accept; }; }
		table ip nat { chain POSTROUTING { type nat hook postrouting priority srcnat; masquerade; }; }
		table ip6 kvmnet { set bridges { type ifname; }; }`)
	before := m.nft("list ruleset")
	apply(t, c, plan.Add, append([]plan.Object{plan.Program{}}, sample()...)...)
	apply(t, c, plan.Del, sample()...)
	apply(t, c, plan.Set, plan.Program{})
	observe(t, c)
	apply(t, c, plan.Del, plan.Program{})
	if diff := cmp.Diff(before, m.nft("list ruleset")); diff != "" {
		t.Errorf("foreign tables changed (-before +after):\n%s", diff)
	}
}

func TestNSWatchWakesOnEveryForeignChange(t *testing.T) {
	t.Parallel()
	c, m := loaded(t, sample()...)
	woken := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
	}()
	expect := func(what string) {
		t.Helper()
		select {
		case <-woken:
		case <-time.After(time.Second):
			t.Errorf("%s: not woken within a second", what)
		}
	}
	expect("start")
	for _, change := range []string{
		"add rule inet kvmnet pinning accept",
		`delete element inet kvmnet pinned { "lab0" }`,
		"delete table inet kvmnet",
		"table ip other",
		"flush ruleset",
	} {
		m.nft(change)
		expect(change)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch ended with %v", err)
	}
}

func TestNSWatchSurvivesLostEvents(t *testing.T) {
	t.Parallel()
	c, m := loaded(t)
	ctx, cancel := context.WithCancel(t.Context())
	woken := make(chan struct{})
	ended := make(chan error, 1)
	// The watcher sleeps in wake while more events come than its socket holds.
	go func() {
		ended <- c.Watch(ctx, func() {
			select {
			case woken <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	for range 3 {
		apply(t, c, plan.Add, manyNetworks(3000)...)
		apply(t, c, plan.Del, manyNetworks(3000)...)
	}
	for range 2 {
		<-woken
	}
	m.nft("add rule inet kvmnet pinning accept")
	eventually(t, "the rule that was added after the loss is seen", func() bool {
		select {
		case <-woken:
		default:
		}
		p, _ := observe(t, c)[plan.Program{}.Key()].(plan.Program)
		return p.Fingerprint != mustFingerprint(t)
	})
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch ended with %v", err)
	}
}

func TestMissingNftSaysHowToGetIt(t *testing.T) {
	m := newMachine(t, "host")
	t.Setenv("PATH", t.TempDir())
	err := load(t.Context(), m.ns, script("", nil, nil))
	if err == nil || err.Error() != "nft is not installed: apt install nftables" {
		t.Errorf("got %v", err)
	}
}

func TestNSLoadQuotesNftsComplaint(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "host")
	err := load(t.Context(), m.ns, "table inet kvmnet {\n\tchain fwd { accpt; }\n}\n")
	if err == nil || !strings.Contains(err.Error(), "syntax error") || strings.Count(err.Error(), "\n") > 2 {
		t.Errorf("got %v", err)
	}
}
