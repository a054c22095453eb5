package kernel

import (
	"os"
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

func sysctl(family, link, name, value string) plan.Sysctl {
	return plan.Sysctl{Mark: lab, Family: family, Link: link, Name: name, Value: value}
}

// uncommon are values that no setting has by default.
var uncommon = []plan.Sysctl{
	sysctl("ipv4", "a.b", "arp_announce", "2"),
	sysctl("ipv4", "a.b", "promote_secondaries", "1"),
	sysctl("ipv4", "a.b", "arp_ignore", "3"),
	sysctl("ipv4", "a.b", "route_localnet", "1"),
	sysctl("ipv4", "a.b", "forwarding", "1"),
	sysctl("ipv6", "a.b", "accept_dad", "2"),
	sysctl("ipv6", "a.b", "accept_ra", "2"),
	sysctl("ipv6", "a.b", "autoconf", "0"),
	sysctl("ipv6", "a.b", "disable_ipv6", "1"),
	sysctl("ipv6", "a.b", "forwarding", "1"),
	sysctl("ipv6", "a.b", "force_forwarding", "1"),
}

// TestSysctlObservedIsWhatProcSays sets one setting after the other to a value
// it has nowhere else, so that a wrong place in the kernel's block shows.
func TestSysctlObservedIsWhatProcSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("veth", "eth0")
	w.must(plan.Add, bridge("a.b"), bridge("lab0"))
	w.compareWithProc()
	for _, s := range uncommon {
		if s.Name == "force_forwarding" && running().before(6, 17) {
			continue
		}
		for range 2 {
			w.must(plan.Set, s)
			equal(t, w.see()[s.Key()], plan.Object(s))
		}
		w.compareWithProc()
	}
}

func (w *world) compareWithProc() {
	w.Helper()
	seen := map[string]int{}
	for s := range plan.Of[plan.Sysctl](w.see()) {
		seen[s.Link]++
		if got := w.proc("/proc/sys/" + s.Path()); got != s.Value {
			w.Errorf("%s, but /proc says %s", s, got)
		}
		if want := map[string]plan.Mark{"a.b": lab, "lab0": lab}[s.Link]; s.Mark != want {
			w.Errorf("%s is marked %q", s, s.Mark)
		}
	}
	each := len(settings4) + len(settings6)
	if running().before(6, 17) {
		each--
	}
	want := map[string]int{"all": 2}
	for l := range plan.Of[plan.Link](w.see()) {
		want[l.Name] = each
	}
	equal(w, seen, want)
}

func TestSysctlOfTheWholeNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	host := proc(t, "/proc/sys/net/ipv6/conf/all/forwarding")
	for _, family := range []string{"ipv4", "ipv6"} {
		s := plan.Sysctl{Family: family, Link: "all", Name: "forwarding", Value: "1"}
		w.must(plan.Set, s)
		equal(t, w.see()[s.Key()], plan.Object(s))
	}
	if now := proc(t, "/proc/sys/net/ipv6/conf/all/forwarding"); now != host {
		t.Errorf("the host's own setting became %s", now)
	}
}

// proc reads a file as the rest of the machine sees it.
func proc(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestSysctlsStopBehindTheFirstThatFails(t *testing.T) {
	t.Parallel()
	for words, bad := range map[string]plan.Sysctl{
		"no such file":     sysctl("ipv4", "none", "arp_ignore", "1"),
		"invalid argument": sysctl("ipv4", "lab0", "arp_announce", "many"),
	} {
		w := newWorld(t)
		w.must(plan.Add, bridge("lab0"))
		errs := w.try(plan.Set, sysctl("ipv4", "lab0", "arp_ignore", "1"), bad, sysctl("ipv4", "lab0", "arp_announce", "2"))
		if len(errs) != 2 || errs[0] != nil || errs[1] == nil {
			t.Fatalf("errors %v, want the second op's and no more ops", errs)
		}
		if text := errs[1].Error(); !strings.Contains(text, words) || !strings.HasPrefix(text, "set sysctl net/ipv4/conf/") {
			t.Errorf("%q does not say %q", text, words)
		}
		behind := sysctl("ipv4", "lab0", "arp_announce", "0")
		equal(t, w.see()[behind.Key()], plan.Object(behind))
		w.must(plan.Del, sysctl("ipv4", "none", "arp_ignore", "1"))
	}
}

func TestSysctlGoesWithIPv6OfALinkTooSmallForIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := bridge("lab0")
	w.must(plan.Add, l, sysctl("ipv4", "lab0", "arp_ignore", "1"))
	l.MTU = 1000
	w.must(plan.Set, l)
	for s := range plan.Of[plan.Sysctl](w.see()) {
		if s.Link == "lab0" && s.Family == "ipv6" {
			t.Errorf("%s of a link that has no IPv6", s)
		}
	}
}
