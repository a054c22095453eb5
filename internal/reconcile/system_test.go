package reconcile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"kvmnet/internal/kernel"
	"kvmnet/internal/netns"
	"kvmnet/internal/nft"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// machine is a System with a namespace and a directory of its own.
type machine struct {
	testing.TB
	*System
	ns  *netns.NS
	dir netns.Directory
}

func newMachine(t testing.TB) *machine {
	t.Helper()
	m := &machine{TB: t, ns: nstest.NS(t), dir: netns.Directory(filepath.Join(t.TempDir(), "netns"))}
	t.Cleanup(func() { // before the directory goes
		entries, _ := m.dir.List()
		for _, e := range entries {
			if err := m.dir.Delete(e.Name); err != nil {
				t.Error(err)
			}
		}
	})
	m.System = m.reopen()
	return m
}

// reopen opens what a daemon finds that starts now.
func (m *machine) reopen() *System {
	m.Helper()
	s, err := Open(m.ns, string(m.dir))
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		if err := s.Close(); err != nil {
			m.Error(err)
		}
	})
	return s
}

func (m *machine) see() plan.State {
	m.Helper()
	s, err := m.Observe(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	return s
}

// text prints what is seen, but for the routes that the kernel makes in its own
// time.
func (m *machine) text() string {
	m.Helper()
	lines := strings.SplitAfter(m.see().String(), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, "route fe80::") }), "")
}

func (m *machine) is(want, when string) {
	m.Helper()
	if diff := cmp.Diff(want, m.text()); diff != "" {
		m.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

func (m *machine) try(verb plan.Verb, objs ...plan.Object) error {
	m.Helper()
	var ops []plan.Op
	for _, o := range objs {
		ops = append(ops, plan.Op{Verb: verb, Object: o})
	}
	errs := m.Apply(m.Context(), ops)
	if err := errors.Join(errs...); err != nil || len(errs) == len(ops) {
		return err
	}
	m.Fatalf("%d results for %d ops, and no error", len(errs), len(ops))
	return nil
}

func (m *machine) must(verb plan.Verb, objs ...plan.Object) {
	m.Helper()
	if err := m.try(verb, objs...); err != nil {
		m.Fatal(err)
	}
}

// refuses fails unless the error says all words.
func (m *machine) refuses(verb plan.Verb, o plan.Object, words ...string) {
	m.Helper()
	err := m.try(verb, o)
	if err == nil {
		m.Fatalf("%s %s: no error", verb, o)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			m.Errorf("error %q does not say %q", err, w)
		}
	}
}

// foreign makes a namespace in the directory that is nobody's, or somebody's.
func (m *machine) foreign(name string, owner plan.Mark) *netns.NS {
	m.Helper()
	ns, err := m.dir.Create(name, func(ns *netns.NS) error {
		k, err := kernel.Open(ns, name)
		if err != nil || owner == "" {
			return err
		}
		return errors.Join(k.Claim(owner), k.Close())
	})
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { ns.Close() })
	return ns
}

func prefix(s string) plan.Addr {
	return plan.Addr{Mark: "router/r1", NS: "r1", Link: "eth0", Prefix: mustPrefix(s)}
}

// router are the objects of a router with an interface and an uplink, in the order
// of plan.
func router(t testing.TB) []plan.Object {
	t.Helper()
	fingerprint, err := nft.Fingerprint(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	const r1 plan.Mark = "router/r1"
	return []plan.Object{
		plan.Netns{Mark: r1, Name: "r1"},
		plan.Program{NS: "r1", Fingerprint: fingerprint},
		plan.Link{Mark: "network/lab", Name: "lab0", Type: "bridge", MAC: spec.MAC{0x52, 0x54, 0, 1, 1, 1}},
		plan.Link{Mark: r1, Name: "r1-eth0", Type: "veth", Master: "lab0", Peer: "eth0", PeerNS: "r1"},
		plan.Link{Mark: r1, NS: "r1", Name: "eth0", Type: "veth", MAC: spec.MAC{0x52, 0x54, 0, 1, 1, 2}, Peer: "r1-eth0"},
		plan.Link{Mark: r1, NS: "r1", Name: "wan", Type: "macvlan", MAC: spec.MAC{0x52, 0x54, 0, 1, 1, 3}, Lower: "nic0"},
		plan.Sysctl{Mark: r1, NS: "r1", Family: "ipv4", Link: "eth0", Name: "forwarding", Value: "1"},
		prefix("10.9.0.1/24"),
		plan.Up{Mark: r1, Link: "r1-eth0"}, plan.Up{Mark: r1, NS: "r1", Link: "lo"}, plan.Up{Mark: r1, NS: "r1", Link: "eth0"}, plan.Up{Mark: r1, NS: "r1", Link: "wan"},
		plan.Route{Mark: r1, NS: "r1", Table: 101, Type: "unreachable", Dst: mustPrefix("0.0.0.0/0"), Metric: 4278198272},
		plan.Rule{Mark: r1, NS: "r1", Family: "ipv4", Priority: 10001, FwMark: 101, Table: 101},
		plan.Shape{Mark: r1, NS: "r1", Link: "eth0", Rate: 10e6},
	}
}

// missing lists what is wanted and not there.
func (m *machine) missing(want []plan.Object) (list []string) {
	m.Helper()
	have := m.see()
	for _, w := range want {
		h, there := have[w.Key()]
		if !there || h.Owner() != w.Owner() && h.Key().Kind != plan.KindUp {
			list = append(list, w.String())
		}
	}
	return list
}

func (m *machine) nic() {
	m.Helper()
	nstest.Run(m, m.ns, "ip", "link", "add", "nic0", "type", "veth", "peer", "name", "lan0")
	for _, link := range []string{"nic0", "lan0"} { // quiet, so that dumps stay the same
		nstest.Run(m, m.ns, "ip", "link", "set", link, "addrgenmode", "none", "up")
	}
	nstest.Eventually(m, patience, func() error {
		if out := nstest.Run(m, m.ns, "ip", "link", "show"); strings.Count(out, "state UP") < 2 {
			return errors.New(out)
		}
		return nil
	})
}

func TestSystemMakesARouterAndTakesItBack(t *testing.T) {
	m := newMachine(t)
	m.nic()
	before := nstest.Dump(t, m.ns)
	want := router(t)
	m.must(plan.Add, want...)
	if list := m.missing(want); list != nil {
		t.Errorf("missing: %q", list)
	}
	once := m.text()
	m.must(plan.Add, want...)
	m.is(once, "the second time")
	m.System = m.reopen()
	m.is(once, "after a restart")
	m.must(plan.Del, want[3], want[0], want[2])
	m.must(plan.Del, want[0], want[4], want[1])
	if owned := m.see().Owned(); len(owned) > 0 {
		t.Errorf("left:\n%s", owned)
	}
	nstest.Eventually(t, patience, func() error { return same(before, nstest.Dump(t, m.ns)) })
}

const patience = 10 * time.Second

func same(before, after string) error {
	if diff := nstest.Diff(before, after); diff != "" {
		return errors.New(diff)
	}
	return nil
}

func TestSystemFindsWhatACrashLeft(t *testing.T) {
	m := newMachine(t)
	crash := errors.New("killed")
	if _, err := m.dir.Create("r1", func(*netns.NS) error { return crash }); !errors.Is(err, crash) {
		t.Fatal(err)
	}
	r1 := plan.Netns{Mark: "router/r1", Name: "r1"}
	if _, there := m.see()[r1.Key()]; there {
		t.Error("the empty file is a namespace")
	}
	m.must(plan.Add, r1)
	if got := m.see()[r1.Key()]; got != r1 {
		t.Errorf("got %v", got)
	}
}

func TestSystemLeavesForeignNamespacesAlone(t *testing.T) {
	m := newMachine(t)
	theirs := m.foreign("theirs", "")
	nstest.Run(t, theirs, "ip", "link", "add", "eth0", "type", "bridge")
	before := nstest.Dump(t, theirs)
	ours := plan.Netns{Mark: "router/theirs", Name: "theirs"}
	for range 3 {
		have := m.see()
		if got := have[ours.Key()]; got != (plan.Netns{Name: "theirs"}) {
			t.Errorf("got %v", got)
		}
		for key := range have {
			if key.NS == "theirs" {
				t.Errorf("looked into it: %v", key)
			}
		}
	}
	m.refuses(plan.Add, ours, "add netns theirs: ", "not kvmnet's", "ip netns del theirs")
	m.must(plan.Del, ours) // ours went, and somebody took the name
	if _, _, _, there := m.Namespace("theirs"); there {
		t.Error("it is one of ours")
	}
	nstest.Same(t, before, nstest.Dump(t, theirs))
	if _, bound := m.dir.Find("theirs"); !bound {
		t.Error("its name is gone")
	}
}

func TestSystemMakesANamespaceAnewThatWasDeletedByHand(t *testing.T) {
	for how, remove := range map[string]func(*machine) error{
		"ip netns del": func(m *machine) error { return m.dir.Delete("r1") },
		"umount":       func(m *machine) error { return unix.Unmount(filepath.Join(string(m.dir), "r1"), unix.MNT_DETACH) },
	} {
		t.Run(how, func(t *testing.T) {
			m := newMachine(t)
			m.nic()
			want := router(t)
			m.must(plan.Add, want...)
			once := m.text()
			old, oldKernel, _, _ := m.Namespace("r1")
			if err := remove(m); err != nil {
				t.Fatal(err)
			}
			for key := range m.see() {
				if key.NS == "r1" || key.Kind == plan.KindNetns {
					t.Fatalf("still seen: %v", key)
				}
			}
			if _, _, _, there := m.Namespace("r1"); there {
				t.Error("still found")
			}
			// What plan does: the host end is there, all else is made anew.
			m.must(plan.Add, slices.Delete(slices.Clone(want), 2, 4)...)
			m.is(once, "made anew")
			ns, k, _, there := m.Namespace("r1")
			if !there || ns == old || k == oldKernel {
				t.Error("the new namespace has the old handles")
			}
			nstest.Run(t, ns, "ip", "link", "show", "wan", "up")
		})
	}
}

func TestNamespaceIsStableAndClosedAfterItWent(t *testing.T) {
	m := newMachine(t)
	m.routers.grace = time.Millisecond
	r1 := plan.Netns{Mark: "router/r1", Name: "r1"}
	m.must(plan.Add, r1)
	ns, k, rules, there := m.Namespace("r1")
	m.see()
	m.must(plan.Add, r1)
	if ns2, k2, rules2, _ := m.Namespace("r1"); !there || ns2 != ns || k2 != k || rules2 != rules {
		t.Error("other handles")
	}
	m.must(plan.Del, r1)
	nstest.Eventually(t, patience, func() error {
		if _, err := ns.ID(); err == nil {
			return errors.New("still open")
		}
		return nil
	})
	if home, _, _, there := m.Namespace(""); !there || home != m.ns {
		t.Error("the daemon's own is not found")
	}
}

func TestSystemLetsGoOfANamespaceThatIsNotMarkedAnyMore(t *testing.T) {
	m := newMachine(t)
	r1 := plan.Netns{Mark: "router/r1", Name: "r1"}
	m.must(plan.Add, r1)
	ns, _, _, _ := m.Namespace("r1")
	nstest.Run(t, ns, "ip", "link", "set", "lo", "alias", "")
	for range 2 {
		have := m.see()
		if got := have[r1.Key()]; got != (plan.Netns{Name: "r1"}) {
			t.Errorf("got %v", got)
		}
		if _, there := have.Link("r1", "lo"); there {
			t.Error("looked into it")
		}
	}
	m.refuses(plan.Add, r1, "not kvmnet's")
}

func TestSystemTakesEachNamespaceOnce(t *testing.T) {
	m := newMachine(t)
	r1 := plan.Netns{Mark: "router/r1", Name: "r1"}
	m.must(plan.Add, r1)
	for name, source := range map[string]string{"copy": filepath.Join(string(m.dir), "r1"), "self": m.path()} {
		path := filepath.Join(string(m.dir), name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), unix.Mount(source, path, "", unix.MS_BIND, "")); err != nil {
			t.Fatal(err)
		}
	}
	nstest.Run(t, m.ns, "ip", "link", "set", "lo", "alias", "kvmnet:router/self")
	have := m.see()
	for _, name := range []string{"copy", "self"} {
		if got := have[plan.Netns{Name: name}.Key()]; got == nil || got.Owner() != "" {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := have[r1.Key()]; got != r1 {
		t.Errorf("r1: %v", got)
	}
}

// path leads to the daemon's own namespace.
func (m *machine) path() string { return filepath.Join("/proc/self/fd", itoa(m.ns.Fd())) }

func TestApplyInANamespaceThatIsGone(t *testing.T) {
	m := newMachine(t)
	up := plan.Up{Mark: "router/r1", NS: "r1", Link: "lo"}
	m.refuses(plan.Add, up, "netns r1 add link lo up: ", "network namespace r1 is not there any more")
	m.refuses(plan.Add, plan.Element{Mark: "router/r1", NS: "r1", Map: "bridges", ID: "eth0"}, "network namespace r1")
	m.must(plan.Del, up, up)
	m.refuses(plan.Add, plan.Netns{Name: "r1"}, "has no owner")
	m.refuses(plan.Add, plan.Netns{Mark: "router/x", Name: "a/b"}, "cannot be the name")
	errs := m.Apply(t.Context(), []plan.Op{{Verb: plan.Del, Object: up}, {Verb: plan.Add, Object: up}, {Verb: plan.Del, Object: up}})
	if len(errs) != 2 || errs[0] != nil || errs[1] == nil {
		t.Errorf("got %v", errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs = m.Apply(ctx, []plan.Op{{Verb: plan.Add, Object: plan.Netns{Mark: "router/r1", Name: "r1"}}})
	if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("got %v", errs)
	}
}

func TestApplyDeletesANamespaceOfItsOwnerOnly(t *testing.T) {
	m := newMachine(t)
	m.foreign("r1", "router/other")
	m.refuses(plan.Del, plan.Netns{Mark: "router/r1", Name: "r1"}, `belongs to "router/other"`)
	m.must(plan.Set, plan.Netns{Mark: "router/r1", Name: "r1"})
	m.must(plan.Del, plan.Netns{Mark: "router/r1", Name: "r1"})
	if _, bound := m.dir.Find("r1"); bound {
		t.Error("still there")
	}
}
