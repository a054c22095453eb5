package nft

import (
	"strings"
	"testing"

	"kvmnet/internal/plan"
)

// web is a chain with everything that policies use.
func web() plan.Chain {
	return plan.NewChain("host", "", "policy_from_lab0",
		`tcp dport { 80, 443 } ct state new limit rate 5/second counter goto permit comment "policy/web allow 0"`,
		`ip daddr { 10.0.0.0/24, 10.1.0.0-10.1.0.9 } log prefix "kvmnet web: " counter drop comment "policy/web deny 0"`,
		`ip daddr . tcp dport { 10.2.0.1 . 1-99 } reject with icmpx admin-prohibited`,
		`meta l4proto vmap { tcp : goto permit, udp : drop }`,
		`ct count over 100 counter name capped drop`)
}

func chainOf(t *testing.T, c *Conn, name string) plan.Chain {
	t.Helper()
	ch, ok := observe(t, c)[plan.Chain{Name: name}.Key()].(plan.Chain)
	if !ok {
		t.Fatalf("chain %s is not there", name)
	}
	return ch
}

func TestNSChainsComeWithTheirElementsAndGo(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t, sample()...)
	lead := el("policy_from", "lab0", "jump policy_from_lab0")
	for range 2 {
		apply(t, c, plan.Add, lead, web())
		sameState(t, c, append(sample(), lead, web())...)
	}
	for range 2 {
		apply(t, c, plan.Del, web(), lead)
		sameState(t, c, sample()...)
	}
	// With the program.
	apply(t, c, plan.Del, plan.Program{})
	apply(t, c, plan.Add, plan.Program{}, web(), lead)
	sameState(t, c, lead, web())
}

func TestNSChainsMayLeadToEachOther(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t)
	one := plan.NewChain("host", "", "caps_eth0", "ct count over 10 counter name capped drop", "jump caps_router")
	all := plan.NewChain("host", "", "caps_router", "ct count over 100 counter name capped drop")
	apply(t, c, plan.Add, one, all)
	sameState(t, c, one, all)
	apply(t, c, plan.Set, plan.Program{})
	sameState(t, c, one, all)
	apply(t, c, plan.Del, all, one)
	sameState(t, c)
}

func TestNSAChainKeepsWhatTextItWasMadeOf(t *testing.T) {
	t.Parallel()
	c, m := loaded(t, web())
	other := plan.NewChain("host", "", "policy_from_lab0", "drop")
	apply(t, c, plan.Set, other)
	sameState(t, c, other)
	apply(t, c, plan.Set, web())
	sameState(t, c, web())
	// As a daemon sees it that has just started.
	again, err := Open(m.ns, "")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	sameState(t, again, web())
	empty := plan.NewChain("host", "", "policy_from_lab0")
	apply(t, c, plan.Set, empty)
	sameState(t, c, empty)
}

func TestNSEveryEditOfAChainShows(t *testing.T) {
	t.Parallel()
	c, m := loaded(t, web())
	handle := func() string {
		out, err := m.run("", "nft", "-a", "list", "chain", "inet", "kvmnet", "policy_from_lab0")
		if err != nil {
			t.Fatal(out, err)
		}
		_, handle, _ := strings.Cut(strings.Split(out, "\n")[2], "# handle ")
		return handle
	}
	for _, edit := range []string{
		"add rule inet kvmnet policy_from_lab0 accept",
		"insert rule inet kvmnet policy_from_lab0 accept",
		"flush chain inet kvmnet policy_from_lab0",
		"delete rule inet kvmnet policy_from_lab0 handle HANDLE",
		"replace rule inet kvmnet policy_from_lab0 handle HANDLE tcp dport { 80, 444 } ct state new limit rate 5/second counter goto permit comment \"policy/web allow 0\"",
	} {
		m.nft(strings.ReplaceAll(edit, "HANDLE", handle()))
		if chainOf(t, c, "policy_from_lab0").Digest == web().Digest {
			t.Errorf("%q does not show", edit)
		}
		if fingerprint(t, c) != mustFingerprint(t) {
			t.Errorf("%q changed the program's fingerprint", edit)
		}
		apply(t, c, plan.Set, web())
		sameState(t, c, web())
	}
}

func TestNSChainsOutliveTheProgram(t *testing.T) {
	t.Parallel()
	lead := el("policy_from", "lab0", "jump policy_from_lab0")
	second := plan.NewChain("host", "", "caps_lab0", "tcp dport { 1, 2 } drop")
	for _, c := range []struct{ name, damage string }{
		{"unharmed", "add chain inet kvmnet policy_from_lab0"},
		{"mended", "insert rule inet kvmnet forward accept\nadd chain inet kvmnet stray"},
		{"made anew", "delete chain inet kvmnet incoming\nadd chain inet kvmnet incoming { type filter hook input priority 7; }"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, m := loaded(t, web(), lead, second)
			m.nft(c.damage)
			apply(t, conn, plan.Set, plan.Program{})
			sameState(t, conn, web(), lead, second)
			m.nft(c.damage)
			other := plan.NewChain("host", "", "caps_lab0", "udp dport { 3, 4 } drop")
			apply(t, conn, plan.Set, plan.Program{}, other)
			sameState(t, conn, web(), lead, other)
		})
	}
}

// A failed update leaves the old rules.
func TestNSAChainThatCannotBeMadeLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	c, _ := loaded(t, web())
	bad := plan.NewChain("host", "", "policy_from_lab0", "accept", "drp")
	second := plan.NewChain("host", "", "caps_lab0", "drop")
	errs := c.Apply(t.Context(), adds(second, bad, el("bridges", "lab0", "")))
	for _, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "policy_from_lab0") || !strings.Contains(err.Error(), "syntax error") {
			t.Errorf("error %v", err)
		}
	}
	sameState(t, c, web())
}

func TestNSChainsWithTheSameRulesKeepTheirOwn(t *testing.T) {
	t.Parallel()
	same := "ip saddr 10.99.0.0/24 tcp dport 4711 drop" // known to no other test
	a, b := plan.NewChain("host", "", "policy_to_lab0", same), plan.NewChain("host", "", "policy_to_dmz0", same)
	other := plan.NewChain("host", "", "source_lab0", "snat ip to 192.0.2.99")
	c, _ := loaded(t, a, b, other)
	sameState(t, c, a, b, other)
}
