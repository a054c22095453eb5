package hostlink_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// machine makes a host with eth0 and eth1, each with a cable to a host outside, and
// gives it a configuration as lines of ip(8), sysctl(8) and others.
func machine(t testing.TB, lines ...string) (m, outside *testhost.Host) {
	t.Helper()
	m, outside = nstest.Host(t, "machine"), nstest.Host(t, "outside")
	for i, name := range []string{"eth0", "eth1"} {
		p := testhost.Plug{Inside: name, MAC: mac(byte(i + 1)), Outside: outside.NS(), OutsideName: fmt.Sprint("far", i), OutsideMAC: mac(byte(i + 0x11))}
		if err := m.Plug(p); err != nil {
			t.Fatal(err)
		}
	}
	configure(t, m.NS(), lines...)
	settled(t, m.NS())
	return m, outside
}

// settled waits for what the kernel does in its own time: no address is tentative, and
// packets to each are taken.
func settled(t testing.TB, ns *netns.NS) {
	t.Helper()
	nstest.Eventually(t, 10*time.Second, func() error {
		taken := nstest.Run(t, ns, "ip", "-6", "route", "show", "table", "local")
		for line := range strings.Lines(nstest.Run(t, ns, "ip", "-6", "-o", "addr", "show", "up")) {
			address, _, _ := strings.Cut(strings.Fields(line)[3], "/")
			if strings.Contains(line, "tentative") || !strings.Contains(taken, "local "+address+" ") {
				return fmt.Errorf("%s is not ready", address)
			}
		}
		return nil
	})
}

func configure(t testing.TB, ns *netns.NS, lines ...string) {
	t.Helper()
	if len(lines) > 0 {
		nstest.Run(t, ns, "sh", "-ec", strings.Join(lines, "\n"))
	}
}

// views print all that ip(8) tells of the host and what is set for eth0.
const views = `
printf '%s\n' 'addr show' 'rule show' 'neigh show nud permanent' 'neigh show proxy' 'maddr show' 'token list' 'nexthop show' | ip -d -batch -
printf '%s\n' 'route show table all' 'rule show' | ip -d -6 -force -batch -
ip -d -4 route show table all
cd /proc/sys/net; grep -s . ipv?/conf/eth0/* ipv?/neigh/eth0/*; true`

// unordered are lines whose order says only which came first: groups, and the routes
// to the host's own addresses, all of which the kernel made.
var unordered = regexp.MustCompile(`^(\t|(local|broadcast|anycast|multicast) .* table local proto kernel )`)

var passing = regexp.MustCompile(`(valid_lft|preferred_lft|expires|_timer) +[\d.]+(sec)?`)

// dump is a machine as text. What gets less by the second has no number.
func dump(t testing.TB, ns *netns.NS) string {
	t.Helper()
	lines := strings.Split(passing.ReplaceAllString(nstest.Run(t, ns, "sh", "-c", views), "$1 …"), "\n")
	for i := range lines {
		for j := i; j > 0 && unordered.MatchString(lines[j]) && unordered.MatchString(lines[j-1]) && lines[j] < lines[j-1]; j-- {
			lines[j], lines[j-1] = lines[j-1], lines[j]
		}
	}
	return strings.Join(lines, "\n")
}

func same(t testing.TB, what, before, after string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(after, "\n")); diff != "" {
		t.Fatalf("%s (-before +after):\n%s", what, diff)
	}
}

func look(t testing.TB, ns *netns.NS, name string, bridge ...string) hostlink.State {
	t.Helper()
	s, err := hostlink.Look(ns, name, bridge...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(ops []hostlink.Op) string {
	var b strings.Builder
	for i, op := range ops {
		fmt.Fprintf(&b, "%2d %s\n", i, op)
	}
	return b.String()
}

func apply(t testing.TB, ns *netns.NS, ops []hostlink.Op) {
	t.Helper()
	if err := hostlink.Apply(t.Context(), ns, ops, nil); err != nil {
		t.Fatalf("%v\nof\n%s", err, text(ops))
	}
}

var errStopped = errors.New("stopped")

// applyUntil stops before an op, as one who is killed there.
func applyUntil(t testing.TB, ns *netns.NS, ops []hostlink.Op, end int) {
	t.Helper()
	err := hostlink.Apply(context.Background(), ns, ops, func(i int, _ hostlink.Op) error {
		if i == end {
			return errStopped
		}
		return nil
	})
	if !errors.Is(err, errStopped) && (err != nil || end < len(ops)) {
		t.Fatalf("stopped before op %d: %v\n%s", end, err, text(ops))
	}
}

// convert moves eth0 into br0.
func convert(t testing.TB, ns *netns.NS) []hostlink.Op {
	t.Helper()
	ops, _, err := hostlink.Convert(look(t, ns, "eth0", "br0"), hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, ns, ops)
	return ops
}

func unconvert(t testing.TB, ns *netns.NS) {
	t.Helper()
	ops, _, err := hostlink.Unconvert(look(t, ns, "eth0"), nil)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, ns, ops)
}

// revert goes back to a state, which came from the disk, and proves that there is
// nothing left to do.
func revert(t testing.TB, ns *netns.NS, before hostlink.State) {
	t.Helper()
	revertIn(t, ns, before, 1)
}

// revertIn has that many turns for it.
func revertIn(t testing.TB, ns *netns.NS, before hostlink.State, turns int) {
	t.Helper()
	before = kept(t, before)
	for turn := range turns + 1 {
		now, err := hostlink.Again(ns, before)
		if err != nil {
			t.Fatal(err)
		}
		ops, err := hostlink.Revert(now, before)
		if err != nil {
			t.Fatal(err)
		}
		if turn == turns && len(ops) > 0 {
			t.Fatalf("when it was reverted there was left to do:\n%s", text(ops))
		}
		apply(t, ns, ops)
	}
}

// kept is a state that went through a file.
func kept(t testing.TB, s hostlink.State) (back hostlink.State) {
	t.Helper()
	b, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(b, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(s, back) {
		t.Fatalf("a state is another one after it was written:\n%s", cmp.Diff(s, back))
	}
	return back
}
