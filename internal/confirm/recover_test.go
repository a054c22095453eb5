package confirm

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// next starts a journal over what an other one left, and recovers.
func (r *rig) next(t *testing.T, boot string) *rig {
	t.Helper()
	r.Abandon()
	n, err := start(t, r.disk, r.world, boot)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	return n
}

func TestRecoverRevertsWhatIsArmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.made(t)
		n := r.next(t, bootA)
		defer n.Abandon()
		n.is(t, "recovered", "before/before")
		if got := n.states(); got != "| reverted" || n.History()[0].Why != "the daemon ended before anybody confirmed it" {
			t.Error(got, n.History())
		}
	})
}

// A boot has made the kernel anew: nothing is to be reverted, unless it lasts.
func TestRecoverDropsWhatIsOfAnotherBoot(t *testing.T) {
	t.Parallel()
	for lasting, reverts := range map[bool]int{false: 0, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			c := minute("eth0")
			c.Lasting = lasting
			if _, err := r.Make(t.Context(), c, r.change); err != nil {
				t.Fatal(err)
			}
			n := r.next(t, bootB)
			defer n.Abandon()
			if got := n.states(); got != "| reverted" || n.reverts != reverts {
				t.Errorf("lasting %v: %s, %d reverts", lasting, got, n.reverts)
			}
		})
	}
}

// What has no deadline waits for a person, also over boots; once it is being
// reverted, it is reverted in any boot.
func TestRecoverLeavesWhatHasNoDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		c, err := r.Arm(t.Context(), Change{Kind: "test", What: "interfaces", Before: []byte(`{"a":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		n := r.next(t, bootB)
		time.Sleep(48 * time.Hour)
		p := n.Pending()
		if len(p) != 1 || p[0].State != Armed {
			t.Fatalf("pending %+v", p)
		}
		if got := string(p[0].Before); p[0].ID != c.ID || cmp.Diff(`{"a":1}`, compact(got)) != "" {
			t.Errorf("came back as %s %s", p[0].ID, got)
		}
		n.fail = 1
		if _, err := n.Rollback(t.Context(), "", ""); err == nil {
			t.Error("no error")
		}
		third := n.next(t, bootA)
		defer third.Abandon()
		if got := third.states(); got != "| reverted" || third.reverts != 2 {
			t.Error(got, third.reverts)
		}
	})
}

func compact(s string) string {
	out := ""
	for _, r := range s {
		if r != ' ' && r != '\n' {
			out += string(r)
		}
	}
	return out
}

func TestRecoverFinishesWhatIsConfirmed(t *testing.T) {
	t.Parallel()
	for _, boot := range []string{bootA, bootB} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.made(t)
			r.fail = 1
			if _, err := r.Confirm(t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
			n := r.next(t, boot)
			defer n.Abandon()
			n.is(t, "recovered", "after/after")
			if got := n.states(); got != "| confirmed" {
				t.Error(got)
			}
		})
	}
}

func TestRecoverTriesAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.made(t)
		r.Abandon()
		r.fail = 3
		n, err := start(t, r.disk, r.world, bootA)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Abandon()
		if _, err := n.Recover(t.Context()); err == nil {
			t.Error("no error")
		}
		if _, err := n.Arm(t.Context(), minute("eth0")); err == nil {
			t.Error("eth0 is not reverted yet, and was armed again")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		n.is(t, "a minute later", "before/before")
	})
}

func TestEntryOfAnotherVersionIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		e := r.made(t)
		r.Abandon()
		j, err := open(r.disk, Options{Boot: bootA, SinceBoot: r.sinceBoot})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := j.Recover(context.Background()); err == nil {
			t.Error("no error")
		}
		j.Abandon()
		n := r.next(t, bootA)
		defer n.Abandon()
		n.is(t, "by the old version", "before/before")
		if n.History()[0].ID != e.ID {
			t.Error(n.History())
		}
	})
}

func TestBrokenFilesAreSetAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.made(t)
		for name, text := range map[string]string{"1234.json": "{", "5678.json": `{"id":"9","kind":"x","state":"armed"}`, "9abc.json.new": "half", historyName: "{\n"} {
			r.disk.names[name] = []byte(text)
		}
		n := r.next(t, bootA)
		defer n.Abandon()
		n.is(t, "recovered", "before/before")
		names, _ := n.disk.list()
		if diff := cmp.Diff([]string{"1234.json.broken", "5678.json.broken", historyName}, names); diff != "" {
			t.Error(diff)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"b3f1","kind":"bridge","state":"armed","within":60000000000,"due":1}`))
	f.Add([]byte(`{"id":"","state":"over"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parse(data)
		if err == nil && (e.ID == "" || e.Within < 0 || e.State == Reverted) {
			t.Errorf("accepted %+v", e)
		}
	})
}

// early is a kind that cannot work before its time has come.
type early struct {
	*world
	ready atomic.Bool
}

func (e *early) Revert(ctx context.Context, c Change) error {
	if !e.ready.Load() {
		return ErrLater
	}
	return e.world.Revert(ctx, c)
}

// What cannot be reverted yet is no failure of Recover, and is reverted in its time.
func TestRecoverWaitsForWhoReverts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.made(t)
		r.Abandon()
		kind := &early{world: r.world}
		j, err := open(r.disk, Options{Boot: bootA, Kinds: map[string]Kind{"test": kind}, SinceBoot: r.sinceBoot})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Abandon()
		if ended, err := j.Recover(t.Context()); err != nil || len(ended) != 0 {
			t.Errorf("%v, %v", ended, err)
		}
		r.is(t, "too early", "after/before")
		kind.ready.Store(true)
		time.Sleep(time.Second)
		synctest.Wait()
		r.is(t, "in its time", "before/before")
	})
}
