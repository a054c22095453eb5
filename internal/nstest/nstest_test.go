package nstest

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/testhost"
)

// recorder is a test that notes failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// try runs fn as a test of its own, with its cleanups, and returns what failed.
func (r *recorder) try(fn func()) []string {
	func() {
		defer func() {
			if p := recover(); p != nil && p != any(r) {
				panic(p)
			}
		}()
		fn()
	}()
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
	return r.failures
}

func TestEventuallyReturnsAtOnceAndFailsWithTheLastError(t *testing.T) {
	t.Parallel()
	calls := 0
	Eventually(t, time.Minute, func() error {
		if calls++; calls < 4 {
			return errors.New("not yet")
		}
		return nil
	})
	if calls != 4 {
		t.Errorf("called %d times, want 4", calls)
	}
	r := &recorder{TB: t}
	failures := r.try(func() {
		Eventually(r, 5*time.Millisecond, func() error { return errors.New("still missing") })
	})
	if len(failures) != 1 || !strings.Contains(failures[0], "still missing") {
		t.Errorf("failed with %q, want the last error", failures)
	}
}

// changes are all things that a leftover could be made of.
var changes = []struct {
	name string
	argv []string
	want string // in the difference
}{
	{"link", []string{"ip", "link", "add", "br9", "type", "bridge"}, "br9"},
	{"link state", []string{"ip", "link", "set", "lo", "down"}, "state DOWN"},
	{"bridge setting", []string{"ip", "link", "set", "br0", "type", "bridge", "mcast_snooping", "0"}, "mcast_snooping"},
	{"alias", []string{"ip", "link", "set", "br0", "alias", "mine"}, "mine"},
	{"address", []string{"ip", "addr", "add", "10.0.0.1/24", "dev", "br0"}, "10.0.0.1/24"},
	{"ipv6 address", []string{"ip", "addr", "add", "fd00::1/64", "dev", "br0", "nodad"}, "fd00::1/64"},
	{"route", []string{"ip", "route", "add", "unreachable", "10.1.0.0/16"}, "10.1.0.0/16"},
	{"route in another table", []string{"ip", "-6", "route", "add", "blackhole", "fd01::/64", "table", "77"}, "fd01::/64"},
	{"rule", []string{"ip", "rule", "add", "from", "10.2.0.0/16", "table", "77"}, "10.2.0.0/16"},
	{"neighbour", []string{"ip", "neigh", "add", "10.0.0.9", "lladdr", "02:00:00:00:00:09", "dev", "br0"}, "02:00:00:00:00:09"},
	{"forwarding entry", []string{"bridge", "fdb", "add", "02:00:00:00:00:08", "dev", "br0", "self"}, "02:00:00:00:00:08"},
	{"nft table", []string{"nft", "add", "table", "inet", "left"}, "table inet left"},
	{"ipv4 setting", []string{"sysctl", "-qw", "net/ipv4/conf/br0/forwarding=1"}, "forwarding=1"},
	{"ipv6 setting", []string{"sysctl", "-qw", "net/ipv6/conf/all/forwarding=1"}, "forwarding=1"},
	{"global setting", []string{"sysctl", "-qw", "net/ipv4/ip_nonlocal_bind=1"}, "ip_nonlocal_bind=1"},
}

func TestUnchangedTellsEveryKindOfChange(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := Host(t, "h")
			if err := h.Bridge("br0"); err != nil {
				t.Fatal(err)
			}
			settled(t, h.NS())
			before := Dump(t, h.NS())
			Run(t, h.NS(), c.argv[0], c.argv[1:]...)
			r := &recorder{TB: t}
			Same(r, before, Dump(t, h.NS()))
			if len(r.failures) != 1 || !strings.Contains(r.failures[0], c.want) {
				t.Errorf("after %q: %q, want a difference with %q", c.argv, r.failures, c.want)
			}
		})
	}
}

// settled waits until the kernel has given its link-local addresses and groups.
func settled(t *testing.T, ns *netns.NS) {
	t.Helper()
	Eventually(t, 2*time.Second, func() error {
		if out := Run(t, ns, "ip", "-6", "addr", "show", "dev", "br0"); !strings.Contains(out, "fe80::") {
			return errors.New("no link-local address")
		}
		return nil
	})
}

func TestUnchangedWaitsForTheTestsOwnCleanup(t *testing.T) {
	t.Parallel()
	ns := NS(t)
	r := &recorder{TB: t}
	failures := r.try(func() {
		Unchanged(r, ns)
		Run(t, ns, "ip", "link", "add", "br0", "type", "bridge")
		r.Cleanup(func() { Run(t, ns, "ip", "link", "del", "br0") })
	})
	if len(failures) != 0 {
		t.Errorf("failed with %q although all was removed", failures)
	}
}

func TestUnchangedFailsWhenSomethingStays(t *testing.T) {
	// Not parallel: nobody else may lose patience.
	defer func(was time.Duration) { patience = was }(patience)
	patience = 50 * time.Millisecond
	ns := NS(t)
	r := &recorder{TB: t}
	failures := r.try(func() {
		Unchanged(r, ns)
		Run(t, ns, "ip", "link", "add", "br0", "type", "bridge")
	})
	if len(failures) != 1 || !strings.Contains(failures[0], "br0") {
		t.Errorf("failed with %q, want a difference with br0", failures)
	}
}

func TestDumpLeavesOutWhatTrafficChanges(t *testing.T) {
	t.Parallel()
	l := NewLab(t)
	Run(t, l.Machine.NS(), "nft", "add table inet t; add chain inet t in { type filter hook input priority 0; }; add rule inet t in counter accept")
	// Neighbours are asked once before, so that only counters and ages move.
	probe(t, l.Machine, testhost.Probe{Proto: testhost.TCP, To: Outside4})
	before := Dump(t, l.Machine.NS())
	probe(t, l.Machine, testhost.Probe{Proto: testhost.TCP, To: Outside4})
	probe(t, l.Machine, testhost.Probe{Proto: testhost.UDP, To: Neighbour6})
	Same(t, before, Dump(t, l.Machine.NS()))
}

func probe(t *testing.T, h *testhost.Host, p testhost.Probe) testhost.Result {
	t.Helper()
	r := h.Probe(t.Context(), p)
	if !r.OK {
		t.Errorf("%s: %s: %s", h.Name(), p, r)
	}
	return r
}

func TestLabReachesNeighbourOutsideAndBeyond(t *testing.T) {
	t.Parallel()
	l := NewLab(t)
	for _, proto := range []testhost.Proto{testhost.ICMP, testhost.TCP, testhost.UDP} {
		for to, seen := range map[string]string{
			Outside4.String(): Machine4.String(), Outside6.String(): Machine6.String(),
			Neighbour4.String(): Machine4.String(), Neighbour6.String(): Machine6.String(),
			Internet4.String(): Machine4.String(), Internet6.String(): Machine6.String(),
		} {
			r := probe(t, l.Machine, testhost.Probe{Proto: proto, To: addr(to)})
			if proto != testhost.ICMP && r.Seen != addr(seen) {
				t.Errorf("%s to %s: seen as %s, want %s", proto, to, r.Seen, seen)
			}
		}
	}
}

func TestLabOutsideKnowsNoWayToGuests(t *testing.T) {
	t.Parallel()
	l := NewLab(t)
	try(t, l.Machine.Bridge("br0"))
	try(t, l.Machine.AddAddress("br0", prefix("10.9.0.1/24")))
	g := l.Guest(t, "vm1", "br0", "10.9.0.2/24", "10.9.0.1")
	probe(t, g, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.1")})
	if r := l.Outside.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.2")}); r.Reason != testhost.NetworkUnreachable {
		t.Errorf("outside to guest: %s, want %s", r, testhost.NetworkUnreachable)
	}
}

func TestPortNamesAreShortAndDistinct(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, host := range []string{"vm1", "thirteenchars", "a-rather-long-host-name-1", "a-rather-long-host-name-2"} {
		name := PortName(host)
		if len(name) > 15 {
			t.Errorf("port of %s is %q, longer than 15", host, name)
		}
		if other, dup := seen[name]; dup {
			t.Errorf("%s and %s share the port %s", host, other, name)
		}
		seen[name] = host
	}
}

func TestMainRunsInNamespacesOfItsOwn(t *testing.T) {
	Need(t)
	links, err := os.ReadDir(netns.Dir)
	if err != nil || len(links) != 0 {
		t.Errorf("named namespaces %v, %v: want none", links, err)
	}
	here, err := netns.Current()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	parent, err := netns.Open(fmt.Sprintf("/proc/%d/ns/net", os.Getppid()))
	if err != nil {
		t.Skipf("needs to look at the parent process: %v", err)
	}
	defer parent.Close()
	a, _ := here.ID()
	b, _ := parent.ID()
	if a == b {
		t.Error("the tests run in the namespace of their parent")
	}
}

// leftovers are tests of a package that uses Main; they run in a process of
// their own and leave something behind on purpose.
var leftovers = map[string]struct {
	leave func() error
	want  string
}{
	"nothing":         {func() error { return nil }, ""},
	"link":            {func() error { return exec.Command("ip", "link", "add", "br7", "type", "bridge").Run() }, "br7"},
	"named namespace": {func() error { _, err := netns.Create("left7"); return err }, "left7"},
	"process":         {func() error { return exec.Command("sleep", "30").Start() }, "sleep"},
	"orphan":          {func() error { return exec.Command("sh", "-c", "sleep 30 >/dev/null 2>&1 &").Run() }, "sleep"},
	"setting":         {func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) }, "ip_forward=1"},
}

const leave = "KVMNET_NSTEST_LEAVE"

func TestLeave(t *testing.T) {
	l, ok := leftovers[os.Getenv(leave)]
	if !ok {
		t.Skip("runs in a process of its own, for TestMainFailsOnLeftovers")
	}
	patience = 300 * time.Millisecond // it would be in vain
	if err := l.leave(); err != nil {
		t.Fatal(err)
	}
}

func TestMainFailsOnLeftovers(t *testing.T) {
	t.Parallel()
	Need(t)
	for name, l := range leftovers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestLeave$")
			for _, v := range os.Environ() {
				if !strings.HasPrefix(v, inside+"=") {
					cmd.Env = append(cmd.Env, v)
				}
			}
			cmd.Env = append(cmd.Env, leave+"="+name)
			out, err := cmd.CombinedOutput()
			if l.want == "" && err != nil {
				t.Errorf("failed with %v: %s", err, out)
			}
			if l.want != "" && (err == nil || !strings.Contains(string(out), l.want) || !strings.Contains(string(out), "left something behind")) {
				t.Errorf("ended with %v, %q; want a complaint about %q", err, out, l.want)
			}
		})
	}
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
