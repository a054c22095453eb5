package nft

import (
	"errors"
	"testing"

	"kvmnet/internal/plan"
)

// What is known is kept in step with our own changes, and is what the kernel holds.
func TestNSWhatIsKnownFollowsOurOwnChanges(t *testing.T) {
	t.Parallel()
	c, m := loaded(t)
	ctx := t.Context()
	same := func(when string) {
		t.Helper()
		known := observe(t, c)
		c.forget()
		if read := observe(t, c); known.String() != read.String() {
			t.Errorf("%s, known is\n%s\nthe kernel has\n%s", when, known, read)
		}
	}
	apply := func(ops ...plan.Op) {
		t.Helper()
		if err := errors.Join(c.Apply(ctx, ops)...); err != nil {
			t.Fatal(err)
		}
	}
	same("after loading")
	a, b := plan.Element{Mark: "network/lab", Map: "bridges", ID: "lab0"}, plan.Element{Mark: "forward/web", Map: "forward4", ID: "tcp . 80", Value: "10.0.0.5 . 8080"}
	apply(plan.Op{Verb: plan.Add, Object: a}, plan.Op{Verb: plan.Add, Object: b})
	if c.cache == nil {
		t.Error("forgot after a change of ours alone")
	}
	same("after adding")
	to := b
	to.Value = "10.0.0.6 . 8080"
	apply(plan.Op{Verb: plan.Set, Object: to, Old: b}, plan.Op{Verb: plan.Del, Object: a})
	same("after changing and deleting")
	m.nft("add element inet kvmnet bridges { eth9 }")
	apply(plan.Op{Verb: plan.Add, Object: a})
	same("after somebody else's change and ours")
}
