package daemon_test

import (
	"strings"
	"testing"

	"kvmnet/internal/nstest"
)

// TestRulesDoNotGrowWithNetworks counts the rules of the machine with one network
// and with five hundred.
func TestRulesDoNotGrowWithNetworks(t *testing.T) {
	t.Parallel()
	m := newMachine(t, uplinked(t))
	m.start(0)
	rules := func() (n int) {
		for line := range strings.Lines(nstest.Run(t, m.ns, "nft", "-a", "list", "ruleset")) {
			if strings.Contains(line, "# handle") && !strings.Contains(line, "{") {
				n++
			}
		}
		return n
	}
	m.apply(manyNetworks(1))
	one := rules()
	m.apply(manyNetworks(500))
	many := rules()
	if one < 30 || one != many {
		t.Errorf("%d rules with one network, %d with 500", one, many)
	}
	if ops := m.drift(); len(ops) > 0 {
		t.Errorf("500 networks are not settled: %s …", ops[0])
	}
	networks, err := m.client.Networks(t.Context())
	if err != nil || len(networks) != 500 {
		t.Errorf("%d networks, %v", len(networks), err)
	}
	t.Logf("%d rules", many)
}
