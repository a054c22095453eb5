package kernel

import (
	"maps"
	"slices"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

const r1 plan.Mark = "router/r1"

var (
	insideMAC = spec.MAC{0x52, 0x54, 0, 9, 9, 9}
	otherMAC  = spec.MAC{0x52, 0x54, 0, 9, 9, 8}
)

// pair is a daemon's namespace and that of a router, which know each other.
type pair struct{ home, router *world }

// newPair makes both namespaces, the router's marked.
func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{}
	p.home = open(t, "", Peers(func(name string) (*Kernel, bool) { return p.router.Kernel, name == "r1" }))
	p.recreate(t)
	return p
}

// recreate puts a new namespace in the place of the router's.
func (p *pair) recreate(t testing.TB) {
	t.Helper()
	p.router = open(t, "r1", Peers(func(name string) (*Kernel, bool) { return p.home.Kernel, name == "" }))
	if err := p.router.Claim(r1); err != nil {
		t.Fatal(err)
	}
}

// open makes a namespace and opens it by a name.
func open(t testing.TB, name string, options ...Option) *world {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("needs root to make a network namespace: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	k, err := Open(ns, name, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return &world{t, ns, k}
}

// hostEnd and inside are the two ends of a router's interface.
var (
	hostEnd = plan.Link{Mark: r1, Name: "r1-eth0", Type: "veth", Master: "lab0", MTU: 1400, Peer: "eth0", PeerNS: "r1"}
	inside  = plan.Link{Mark: r1, NS: "r1", Name: "eth0", Type: "veth", MAC: insideMAC, MTU: 1400, Peer: "r1-eth0"}
)

func TestClaimMarksTheNamespaceAndNotItsLoopback(t *testing.T) {
	t.Parallel()
	w := open(t, "r1")
	if got := w.see()[plan.Netns{Name: "r1"}.Key()]; got != (plan.Netns{Name: "r1"}) {
		t.Errorf("before: %v", got)
	}
	for range 2 {
		if err := w.Claim(r1); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := w.Owner(); m != r1 || err != nil {
		t.Errorf("owner %q, %v", m, err)
	}
	s := w.see()
	if got := s[plan.Netns{Name: "r1"}.Key()]; got != (plan.Netns{Mark: r1, Name: "r1"}) {
		t.Errorf("after: %v", got)
	}
	if l, _ := s.Link("r1", "lo"); l.Mark != "" || l.Type != "loopback" {
		t.Errorf("lo: %+v", l)
	}
	home, err := Open(w.ns, "")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if owned := (&world{t, w.ns, home}).see().Owned(); len(owned) > 0 {
		t.Errorf("a daemon in there owns\n%s", owned)
	}
}

func TestClearDeletesOurLinksAndNoOthers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.home.must(plan.Add, bridge("lab0"))
	p.router.stranger("bridge", "theirs")
	before := p.router.see().String()
	p.home.must(plan.Add, hostEnd)
	p.router.must(plan.Add, inside)
	if err := p.router.Clear(); err != nil {
		t.Fatal(err)
	}
	equal(t, p.router.see().String(), before)
	if _, there := p.home.see().Link("", "r1-eth0"); there {
		t.Error("the host end is still there")
	}
}

func TestObserveOfTheDaemonsNamespaceSeesNoRulesAndTables(t *testing.T) {
	t.Parallel()
	w := routed(t)
	before := w.see().String()
	w.raw(unix.RTM_NEWRULE, unix.NLM_F_CREATE, ruleRequest(plan.Rule{Family: "ipv4", Priority: 9, FwMark: 1, Table: 101})...)
	data := routeRequest(&nl.RtMsg{RtMsg: unix.RtMsg{Table: 101, Type: unix.RTN_BLACKHOLE, Protocol: protocol}}, 0, via("", "10.9.0.0/16", "", 0))
	w.raw(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, data...)
	equal(t, w.see().String(), before)
	for s := range plan.Of[plan.Sysctl](w.see()) {
		if s.Name == "rp_filter" || s.Name == "ignore_routes_with_linkdown" {
			t.Errorf("unexpected %s", s)
		}
	}
}

func TestSettingsOfARouterAreWhatProcSays(t *testing.T) {
	t.Parallel()
	w := open(t, "r1")
	w.must(plan.Set, plan.Sysctl{NS: "r1", Family: "ipv4", Link: "all", Name: "rp_filter", Value: "2"},
		plan.Sysctl{NS: "r1", Family: "ipv4", Link: "lo", Name: "rp_filter", Value: "1"},
		plan.Sysctl{NS: "r1", Family: "ipv4", Link: "lo", Name: "ignore_routes_with_linkdown", Value: "1"},
		plan.Sysctl{NS: "r1", Family: "ipv6", Link: "lo", Name: "ignore_routes_with_linkdown", Value: "1"},
		plan.Sysctl{NS: "r1", Family: "ipv6", Link: "all", Name: "forwarding", Value: "1"})
	var seen []string
	for s := range plan.Of[plan.Sysctl](w.see()) {
		if got := w.proc("/proc/sys/" + s.Path()); got != s.Value {
			t.Errorf("%s, but /proc says %s", s, got)
		}
		if s.NS != "r1" {
			t.Errorf("%s is in namespace %q", s, s.NS)
		}
		seen = append(seen, s.Path())
	}
	for _, want := range []string{
		"ipv4/conf/all/rp_filter", "ipv4/conf/all/forwarding", "ipv6/conf/all/forwarding", "ipv4/conf/lo/rp_filter", "ipv4/conf/lo/route_localnet",
		"ipv4/conf/lo/ignore_routes_with_linkdown", "ipv6/conf/lo/ignore_routes_with_linkdown",
	} {
		if !slices.Contains(seen, "net/"+want) {
			t.Errorf("%s is not observed", want)
		}
	}
}

// again applies objects twice, in the order in which they are given, and checks
// that the second time changes nothing.
func (w *world) again(verb plan.Verb, objs ...plan.Object) {
	w.Helper()
	w.must(verb, objs...)
	once := w.see().String()
	w.must(verb, objs...)
	equal(w, w.see().String(), once)
}

// lines are the observed objects of one kind.
func lines[T plan.Object](w *world) []string {
	w.Helper()
	var list []string
	for o := range plan.Of[T](w.see()) {
		text := o.String()
		if o.Owner() == "" {
			text += " (foreign)"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

func TestRoutersAddressesAndRoutesWithoutALinkAreTheRouters(t *testing.T) {
	t.Parallel()
	w := open(t, "r1")
	if err := w.Claim(r1); err != nil {
		t.Fatal(err)
	}
	route := plan.Route{Mark: r1, NS: "r1", Type: "blackhole", Dst: pfx("10.9.0.0/16")}
	address := plan.Addr{Mark: r1, NS: "r1", Link: "lo", Prefix: pfx("192.0.2.1/32")}
	rule := plan.Rule{Mark: r1, NS: "r1", Family: "ipv4", Priority: 10001, FwMark: 101, Table: 101}
	w.must(plan.Add, route, address, rule)
	owned := w.see().Owned()
	for _, o := range []plan.Object{route, address, rule} {
		equal(t, owned[o.Key()], o)
	}
	if n := len(slices.Collect(maps.Keys(owned))); n != 4 {
		t.Errorf("owned:\n%s", owned)
	}
}
