package verify

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"kvmnet/internal/dns"
	"kvmnet/internal/kernel"
	"kvmnet/internal/lease"
	"kvmnet/internal/nft"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/serve"
	"kvmnet/internal/spec"
)

func TestMain(m *testing.M) { nstest.Main(m) }

// net makes a network with a bridge called after it.
func network(mode spec.Mode, bridge string, addresses ...string) *spec.Network {
	n := &spec.Network{Mode: mode, Bridge: spec.BridgeSettings{Name: bridge}}
	for _, a := range addresses {
		n.Subnets = append(n.Subnets, spec.Subnet{Address: netip.MustParsePrefix(a)})
	}
	return n
}

// everyMode is a network of each mode that has a bridge of its own.
func everyMode() map[string]*spec.Network {
	return map[string]*spec.Network{
		"lab":   network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64"),
		"dmz":   network(spec.Route, "dmz0", "10.2.0.1/24", "fd00:2::1/64"),
		"web":   network(spec.Route, "web0", "10.3.0.1/24", "fd00:3::1/64"),
		"wild":  network(spec.Open, "wild0", "10.4.0.1/24", "fd00:4::1/64"),
		"cell":  network(spec.Isolated, "cell0", "10.5.0.1/24", "fd00:5::1/64"),
		"quiet": network(spec.Isolated, "quiet0"),
	}
}

// lab is a machine with an uplink, on which networks run.
type lab struct {
	*nstest.Lab
	t       testing.TB
	running map[string]*spec.Network
	book    *lease.Book
	unserve func() // ends all service
}

// newLab brings networks up as the daemon does: plan, then apply.
func newLab(t testing.TB, running map[string]*spec.Network) *lab {
	t.Helper()
	l := &lab{Lab: nstest.NewLab(t), t: t, running: running}
	system, err := reconcile.Open(l.Machine.NS(), t.TempDir())
	try(t, err)
	defer system.Close()
	program, err := nft.Fingerprint(t.Context(), "")
	try(t, err)
	live := &spec.Spec{Networks: running}
	live.Default()
	var have plan.State
	var facts plan.Facts
	for range 3 {
		have, err = system.Observe(t.Context())
		try(t, err)
		facts = plan.Facts{HostID: "test", Program: program}.Learn(have)
		ops, conflicts := plan.Diff(plan.Build(live, facts), have)
		if len(conflicts) > 0 {
			t.Fatal(conflicts)
		}
		for i, err := range system.Apply(t.Context(), ops) {
			if err != nil {
				t.Fatalf("%s: %v", ops[i], err)
			}
		}
	}
	l.serve(plan.Services(live, facts), have)
	return l
}

// serve serves the networks until the end of the test, or unserve.
func (l *lab) serve(want []plan.Service, have plan.State) {
	l.t.Helper()
	k, err := kernel.Open(l.Machine.NS(), "")
	try(l.t, err)
	l.book, err = lease.Open(l.t.TempDir(), lease.Options{})
	try(l.t, err)
	servers := serve.New(serve.Options{NS: l.Machine.NS(), Kernel: k, Book: l.book, DUID: []byte{0, 4, 1},
		Upstream: dns.NewUpstreams("/dev/null"), Warn: func(string, string) {}})
	for owner, problems := range servers.Set(want, have) {
		l.t.Fatalf("serve %s: %q", owner, problems)
	}
	ctx, cancel := context.WithCancel(context.Background())
	watching := make(chan error, 1)
	go func() { watching <- k.Watch(ctx, func() { servers.Set(want, have) }) }() // a port brings its bridge a link-local address
	l.unserve = sync.OnceFunc(func() {
		cancel()
		try(l.t, errors.Join(<-watching, servers.Close(), l.book.Close(), k.Close()))
	})
	l.t.Cleanup(l.unserve)
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lab) options(only ...string) Options {
	return Options{NS: l.Machine.NS(), Running: l.running, Only: only, Uplinks4: []string{"eth0"}, Uplinks6: []string{"eth0"}}
}

// verify runs to the end and returns what was reported.
func verify(t testing.TB, o Options) []Check {
	t.Helper()
	var checks []Check
	if err := Run(t.Context(), o, func(c Check) { checks = append(checks, c) }); err != nil {
		t.Fatal(err)
	}
	return checks
}

// run executes a command on the machine.
func (l *lab) run(command string) {
	l.t.Helper()
	argv := strings.Fields(command)
	nstest.Run(l.t, l.Machine.NS(), argv[0], argv[1:]...)
}

// nft loads rules on the machine.
func (l *lab) nft(rules string) {
	l.t.Helper()
	nstest.Run(l.t, l.Machine.NS(), "nft", rules)
}

func (l *lab) sysctl(key, value string) {
	l.t.Helper()
	try(l.t, l.Machine.Sysctl(key, value))
}

// chosen are the addresses that test hosts take at random in the labs' subnets.
var chosen = regexp.MustCompile(`(10\.\d\.0|198\.1[89]\.\d+)\.\d+(/\d+)?|fd[0-9a-f]{2}:[0-9a-f:]*[0-9a-f](::/\d+)?`)

var anyMAC = regexp.MustCompile(`52:54:00(:[0-9a-f]{2}){3}`)

// plain replaces addresses chosen at random by the word X, and MACs by MAC.
func plain(s string) string {
	s = anyMAC.ReplaceAllString(s, "MAC")
	return chosen.ReplaceAllStringFunc(s, func(a string) string {
		if strings.HasSuffix(a, ".0.1") || strings.HasSuffix(a, "::1") || strings.Contains(a, "/") {
			return a
		}
		return "X"
	})
}

// withoutBonus drops what a busy machine may not see in time: that somebody answered a
// packet that got there.
func withoutBonus(line string) string { return strings.TrimSuffix(line, ", answered") }

// lines prints checks, a line each: network, promise, what was expected and
// seen.
func lines(checks []Check) []string {
	var out []string
	for _, c := range checks {
		out = append(out, withoutBonus(plain(c.Network+": "+c.Promise+": "+c.Expected+": "+c.Seen)))
	}
	return out
}

// broken prints the promises that were not kept, and what was seen instead.
func broken(checks []Check) []string {
	var out []string
	for _, c := range checks {
		if !c.OK {
			out = append(out, withoutBonus(plain(c.Network+": "+c.Promise+": "+c.Seen)))
		}
	}
	return out
}

// same compares lines without regard to order.
func same(t *testing.T, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}
