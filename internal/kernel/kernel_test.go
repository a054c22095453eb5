package kernel

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// world is a private namespace and a Kernel in it.
type world struct {
	testing.TB
	ns *netns.NS
	*Kernel
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ns, err := netns.New()
	if err != nil {
		t.Skipf("needs root to make a network namespace: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	k, err := Open(ns, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return &world{t, ns, k}
}

// must applies ops and fails the test on any error.
func (w *world) must(verb plan.Verb, objs ...plan.Object) {
	w.Helper()
	for i, err := range w.try(verb, objs...) {
		if err != nil {
			w.Fatalf("op %d: %v", i, err)
		}
	}
}

func (w *world) try(verb plan.Verb, objs ...plan.Object) []error {
	w.Helper()
	ops := make([]plan.Op, len(objs))
	for i, o := range objs {
		ops[i] = plan.Op{Verb: verb, Object: o}
	}
	errs := w.Apply(context.Background(), ops)
	if len(errs) != len(ops) && errors.Join(errs...) == nil {
		w.Fatalf("got %d results for %d ops, and no error", len(errs), len(ops))
	}
	return errs
}

// refuses applies one op and fails the test unless the error says all words.
func (w *world) refuses(verb plan.Verb, o plan.Object, words ...string) {
	w.Helper()
	err := w.try(verb, o)[0]
	if err == nil {
		w.Fatalf("%s %s: no error", verb, o)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			w.Errorf("error %q does not say %q", err, word)
		}
	}
}

func (w *world) see() plan.State {
	w.Helper()
	s, err := w.Observe(context.Background())
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) link(name string) plan.Link {
	w.Helper()
	l, ok := w.see().Link("", name)
	if !ok {
		w.Fatalf("link %s is not there", name)
	}
	return l
}

func (w *world) has(o plan.Object) bool {
	w.Helper()
	_, ok := w.see()[o.Key()]
	return ok
}

// raw sends a request of a stranger.
func (w *world) raw(kind, flags int, data ...nl.NetlinkRequestData) {
	w.Helper()
	if err := w.change(kind, flags, data...); err != nil {
		w.Fatal(err)
	}
}

// stranger makes a link that is not ours.
func (w *world) stranger(kind, name string) {
	w.Helper()
	info, _ := linkInfo(kind)
	w.raw(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
		nl.NewIfInfomsg(unix.AF_UNSPEC), attrText(unix.IFLA_IFNAME, name), info)
}

// proc reads a file as a thread of the namespace sees it.
func (w *world) proc(path string) string {
	w.Helper()
	var b []byte
	err := w.ns.Do(func() (err error) {
		b, err = os.ReadFile(path)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

var (
	pfx = netip.MustParsePrefix
	ip  = netip.MustParseAddr
	mac = spec.MAC{0x52, 0x54, 0, 1, 2, 3}
)

const lab plan.Mark = "network/lab"

// bridge is a plain bridge of ours as it is observed.
func bridge(name string) plan.Link {
	return plan.Link{Mark: lab, Name: name, Type: "bridge", MAC: mac, MTU: 1500}
}

// managed is a link without what is only observed.
func managed(l plan.Link) plan.Link {
	l.Index, l.Parent = 0, ""
	return l
}

func TestOpenAndCloseLeaveNoDescriptors(t *testing.T) {
	w := newWorld(t)
	open := func() int {
		fds, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	before := open()
	for range 200 {
		k, err := Open(w.ns, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Observe(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		if err := k.Watch(ctx, cancel); err != nil {
			t.Fatal(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := open(); after >= before+100 { // the runtime may have opened some of its own meanwhile
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func TestReleaseComparesVersions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r    release
		want bool
	}{{release{5, 17}, true}, {release{5, 18}, false}, {release{6, 1}, false}, {release{4, 19}, true}} {
		if got := c.r.before(5, 18); got != c.want {
			t.Errorf("%v before 5.18: %v", c.r, got)
		}
	}
	if running().before(3, 0) {
		t.Errorf("running kernel read as %v", running())
	}
}

func TestMarkOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alias string
		group uint32
		want  plan.Mark
	}{
		{"kvmnet:network/lab", 0, "network/lab"},
		{"kvmnet:port/vm1", birthGroup, "port/vm1"},
		{"", birthGroup, Unfinished},
		{"", 0, ""},
		{"uplink of kvmnet:", 0, ""},
		{"kvmnets", 7, ""},
		{"somebody's", birthGroup, ""},
	} {
		if got := markOf(c.alias, c.group); got != c.want {
			t.Errorf("alias %q group %d is %q, want %q", c.alias, c.group, got, c.want)
		}
	}
	for range 1000 {
		if g := doomedGroup(); g>>24 != 0x6d || int32(g) < 0 || g == birthGroup {
			t.Fatalf("group %x", g)
		}
	}
}

func TestAttrsEndAtTheFirstMalformedOne(t *testing.T) {
	t.Parallel()
	good := append(attr(1, []byte("abc")).Serialize(), attr(2|unix.NLA_F_NESTED, nil).Serialize()...)
	for _, tail := range [][]byte{nil, {3}, {3, 0, 1, 0}, {0xff, 0, 1, 0}, {0, 0, 0, 0, 0}} {
		var kinds []int
		for kind := range attrs(append(good[:len(good):len(good)], tail...)) {
			kinds = append(kinds, kind)
		}
		equal(t, kinds, []int{1, 2})
	}
}

func FuzzParsersDoNotPanic(f *testing.F) {
	header := make([]byte, 16)
	f.Add(append(header[:8:8], attr(ifaProto, nil).Serialize()...))
	info, data := linkInfo("tun")
	data.AddRtAttr(nl.IFLA_TUN_TYPE, nil)
	f.Add(append(header[:16:16], info.Serialize()...))
	f.Add(append([]byte{unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, 0, 0, unix.RTN_UNICAST, 0, 0, 0, 0},
		attr(unix.RTA_MULTIPATH, []byte{9, 0, 0, 0, 0, 0, 0, 0, 4}).Serialize()...))
	f.Fuzz(func(_ *testing.T, b []byte) {
		d := parseDevice(b)
		d.link("", nil)
		(&view{state: plan.State{}}).addSettings(&d)
		parseAddress(b)
		parseRoute(nil, b)
	})
}
