package nft

import (
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func fingerprint(t *testing.T, c *Conn) string {
	t.Helper()
	p, ok := observe(t, c)[plan.Program{}.Key()].(plan.Program)
	if !ok {
		t.Fatal("the table is not there")
	}
	return p.Fingerprint
}

func TestNSFingerprintIsThatOfTheLoadedProgram(t *testing.T) {
	t.Parallel()
	want := mustFingerprint(t)
	if !regexp.MustCompile("^[0-9a-f]{12}$").MatchString(want) {
		t.Errorf("%q is not 12 hex digits", want)
	}
	c, m := loaded(t)
	steps := []struct {
		name string
		do   func()
	}{
		{"loaded", func() {}},
		{"loaded again", func() { apply(t, c, plan.Set, plan.Program{}) }},
		{"elements added", func() { apply(t, c, plan.Add, sample()...) }},
		{"elements changed", func() { apply(t, c, plan.Set, el("from", "lab0", "jump from_open")) }},
		{"many elements", func() { apply(t, c, plan.Add, manyNetworks(300)...) }},
		{"replaced with elements", func() { apply(t, c, plan.Set, plan.Program{}) }},
		{"loaded by hand after another table", func() {
			m.nft("table inet aaa { set s { type ifname; }; chain c { iifname { a, b } accept; }; }")
			m.nft(script("", nil, nil))
		}},
		{"rule added and taken away", func() {
			m.nft("add rule inet kvmnet pinning accept")
			m.nft("delete rule inet kvmnet pinning handle " + lastHandle(t, m))
		}},
	}
	for _, s := range steps {
		s.do()
		if got := fingerprint(t, c); got != want {
			t.Errorf("%s: fingerprint %s, want %s", s.name, got, want)
		}
	}
}

func lastHandle(t *testing.T, m *machine) string {
	t.Helper()
	out, err := m.run("", "nft", "-a", "list", "chain", "inet", "kvmnet", "pinning")
	if err != nil {
		t.Fatal(err, out)
	}
	found := regexp.MustCompile(`accept # handle (\d+)`).FindAllStringSubmatch(out, -1)
	return found[len(found)-1][1]
}

func TestNSFingerprintShowsEveryKindOfTampering(t *testing.T) {
	t.Parallel()
	c, m := loaded(t)
	seen := map[string]string{mustFingerprint(t): "the program itself"}
	for _, change := range []string{
		"add rule inet kvmnet forward accept",
		"insert rule inet kvmnet forward accept",
		"add rule inet kvmnet from_isolated accept",
		"flush chain inet kvmnet from_isolated",
		"flush chain inet kvmnet in_source",
		"add chain inet kvmnet stray",
		"add chain inet kvmnet stray { type filter hook forward priority 10; }",
		"add chain inet kvmnet caps_stray { type filter hook forward priority 10; }",
		"add chain inet kvmnet forward { policy drop; }",
		"add table inet kvmnet { flags dormant; }",
		"add set inet kvmnet stray { type ifname; }",
		"add set inet kvmnet stray { type ipv4_addr; }",
		"add map inet kvmnet stray { type ifname : verdict; }",
		"add counter inet kvmnet stray",
		"flush chain inet kvmnet in_source\nadd rule inet kvmnet in_source icmpv6 type { 1, 2 } return",
		"flush chain inet kvmnet in_source\nadd rule inet kvmnet in_source icmpv6 type { 1, 3 } return",
		"flush chain inet kvmnet from_isolated\nadd rule inet kvmnet from_isolated counter name spoofed drop",
		"add rule inet kvmnet pinning jump to_nat",
		"add rule inet kvmnet pinning jump to_open",
		"delete table bridge kvmnet",
		"delete table inet kvmnet",
		"add rule bridge kvmnet frames accept",
		"add set bridge kvmnet stray { type ifname; }",
		// What cannot be mended in place: a chain on another hook, a map of another type.
		"delete chain inet kvmnet incoming\nadd chain inet kvmnet incoming { type filter hook input priority 7; }",
		"delete chain inet kvmnet incoming\nadd chain inet kvmnet incoming",
		"flush chain inet kvmnet pinning\ndelete set inet kvmnet egress\nadd set inet kvmnet egress { type ipv4_addr; }",
		// A stray map with a stray chain in it.
		`add chain inet kvmnet stray
		add map inet kvmnet aaa { type ifname : verdict; elements = { "x" : jump stray }; }`,
	} {
		m.nft(change)
		got := fingerprint(t, c)
		if before, ok := seen[got]; ok {
			t.Errorf("%q has the fingerprint of %q", change, before)
		}
		seen[got] = change
		apply(t, c, plan.Set, plan.Program{})
		if got := fingerprint(t, c); got != mustFingerprint(t) {
			t.Errorf("%q is not repaired", change)
		}
	}
}

func TestNSFingerprintIgnoresWhatCountersCount(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"iso0", "isolated", []string{"guest"}})
	l.host.nft("insert rule inet kvmnet from_isolated counter")
	before := fingerprint(t, l.conn)
	guest, outside := l.machines["guest"], l.machines["outside"]
	if err := guest.send("x", guest.v4, outside.v4); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the packet is counted", func() bool { return l.packets("isolated") > 0 })
	l.conn.forget()
	if got := fingerprint(t, l.conn); got != before {
		t.Errorf("fingerprint %s after a packet, %s before", got, before)
	}
}

func TestNSShapesAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t)
	all, err := c.tables()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, tab := range all {
		for _, set := range tab.sets {
			name := set.text(2) // NFTA_SET_NAME
			if set.uint32(unix.NFTA_SET_FLAGS)&unix.NFT_SET_EVAL != 0 {
				continue // filled by packets
			}
			found++
			if s, ok := shapes[name]; !ok || s.family() != tab.family || !s.matches(set) {
				t.Errorf("the kernel's %s differs from shapes: %s", name, kindOfSet(set))
			}
		}
	}
	if found != len(shapes) {
		t.Errorf("the kernel has %d maps and sets, shapes %d", found, len(shapes))
	}
}
