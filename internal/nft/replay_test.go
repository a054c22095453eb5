package nft

import (
	"testing"
	"time"

	"kvmnet/internal/plan"
)

func TestNSTheKernelTakesTheProgramAsItListsIt(t *testing.T) {
	t.Parallel()
	program, replays, err := compiled.get(t.Context(), "")
	if err != nil || !replays {
		t.Fatalf("the kernel refused its own list, or made something else of it: %v", err)
	}
	c, m := newConn(t)
	var tr transaction
	tr.all(program)
	if err := c.commit(tr); err != nil {
		t.Fatal(err)
	}
	byHand, other := newConn(t)
	if err := load(t.Context(), other.ns, script("", nil, nil)); err != nil {
		t.Fatal(err)
	}
	if fingerprint(t, c) != fingerprint(t, byHand) {
		t.Error("the table has another fingerprint than by text")
	}
	if a, b := m.list(t), other.list(t); a != b {
		t.Errorf("nft lists\n%s\nand of the text\n%s", a, b)
	}
}

// list is what nft tells of the namespace.
func (m *machine) list(t *testing.T) string {
	t.Helper()
	out, err := m.run("", "nft", "list", "ruleset")
	if err != nil {
		t.Fatal(out, err)
	}
	return out
}

func TestNSTextIsTheWayOutWhereReplayingFails(t *testing.T) {
	t.Parallel()
	c, _ := newConn(t)
	chain := plan.NewChain("host", "", "policy_to_lab0", "tcp dport { 80, 443 } goto permit", "drop")
	ch, err := c.sort(t.Context(), adds(append(sample(), chain, el("policy_to", "lab0", "jump policy_to_lab0"))...))
	if err != nil {
		t.Fatal(err)
	}
	program, _, _ := compiled.get(t.Context(), "")
	r := replacement{change: ch, program: program, state: plan.State{}, want: wanted(plan.State{}, ch.ops)}
	if err := c.fresh(t.Context(), r, false); err != nil {
		t.Fatal(err)
	}
	if fingerprint(t, c) != mustFingerprint(t) {
		t.Error("the program is another one")
	}
	// The note beside the rules is missing, so they are written once more.
	apply(t, c, plan.Set, chain)
	sameState(t, c, append(sample(), chain, el("policy_to", "lab0", "jump policy_to_lab0"))...)
}

func adds(objs ...plan.Object) (ops []plan.Op) {
	for _, o := range objs {
		ops = append(ops, plan.Op{Verb: plan.Add, Object: o})
	}
	return ops
}

// What 200 routers wait for: by text, and replayed.
func BenchmarkFreshNamespace(b *testing.B) {
	program, _, err := compiled.get(b.Context(), "r1")
	if err != nil {
		b.Fatal(err)
	}
	rows := adds(manyNetworks(1)...)
	var byText, replayed time.Duration
	for b.Loop() {
		text, m := newMachine(b, "text"), newMachine(b, "replayed")
		c := routerConn(b, m)
		start := time.Now()
		if err := load(b.Context(), text.ns, script("r1", rows, nil)); err != nil {
			b.Fatal(err)
		}
		byText += time.Since(start)
		start = time.Now()
		r := replacement{program: program, state: plan.State{}, want: rows}
		if err := c.fresh(b.Context(), r, true); err != nil {
			b.Fatal(err)
		}
		replayed += time.Since(start)
		c.Close()
		text.ns.Close()
		m.ns.Close()
	}
	b.ReportMetric(float64(byText.Microseconds())/float64(b.N), "text-µs/op")
	b.ReportMetric(float64(replayed.Microseconds())/float64(b.N), "replay-µs/op")
	b.ReportMetric(float64(byText)/float64(replayed), "ratio")
}
