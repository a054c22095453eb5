package confirm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnconfirmedIsRevertedAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		r.made(t)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		r.is(t, "a second before", "after/before")
		time.Sleep(time.Second)
		synctest.Wait()
		r.is(t, "at the deadline", "before/before")
		past := r.History()
		if len(past) != 1 || past[0].State != Reverted || past[0].Why != "nobody confirmed it within 1m0s" {
			t.Errorf("history: %+v", past)
		}
	})
}

func TestConfirmedStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		e := r.made(t)
		over := r.Over(e.ID)
		if _, err := r.Confirm(t.Context(), "", "ssh"); err != nil {
			t.Fatal(err)
		}
		<-over
		time.Sleep(time.Hour)
		synctest.Wait()
		r.is(t, "an hour later", "after/after")
		if got := r.states(); got != "| confirmed" || r.reverts != 0 {
			t.Errorf("%s, %d reverts", got, r.reverts)
		}
		for _, id := range []string{e.ID, ""} { // by somebody who was a moment later
			if again, err := r.Confirm(t.Context(), id, "late"); err != nil || again.ID != e.ID || again.Why != "ssh" {
				t.Errorf("once more: %+v, %v", again, err)
			}
			if _, err := r.Rollback(t.Context(), id, ""); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "was confirmed at") {
				t.Errorf("too late to roll back: %v", err)
			}
		}
	})
}

func TestRollbackIsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		e := r.made(t)
		if _, err := r.Rollback(t.Context(), e.ID, "asked to"); err != nil {
			t.Fatal(err)
		}
		r.is(t, "rolled back", "before/before")
		time.Sleep(time.Hour)
		if got := r.states(); got != "| reverted" || r.reverts != 1 {
			t.Errorf("%s, %d reverts", got, r.reverts)
		}
		for _, id := range []string{e.ID, ""} {
			if _, err := r.Confirm(t.Context(), id, ""); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "was reverted at") || !strings.Contains(err.Error(), "(asked to)") {
				t.Errorf("confirmed what was rolled back: %v", err)
			}
		}
	})
}

func TestWhatCannotBeMadeIsRevertedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		_, err := r.Make(t.Context(), minute("eth0"), func(ctx context.Context, c Change) error {
			return errors.Join(r.change(ctx, c), errors.New("no such device"))
		})
		if err == nil || !strings.Contains(err.Error(), "no such device") {
			t.Errorf("error %v", err)
		}
		r.is(t, "failed", "before/before")
		if past := r.History(); len(past) != 1 || past[0].Why != "no such device" {
			t.Errorf("history %+v", past)
		}
	})
}

// Who asked may be gone: a half-made change is worse than a whole one.
func TestChangeIsMadeToItsEndThoughTheCallerIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.Make(ctx, minute("eth0"), func(ctx context.Context, c Change) error {
			cancel()
			return errors.Join(ctx.Err(), r.change(ctx, c))
		})
		if err != nil {
			t.Error(err)
		}
		r.is(t, "caller gone", "after/before")
	})
}

// A change that hangs is given up at the deadline, and only then reverted.
func TestChangeThatHangsIsGivenUpAtTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		begun := time.Now()
		_, err := r.Make(t.Context(), minute("eth0"), func(ctx context.Context, c Change) error {
			<-ctx.Done()
			return errors.Join(r.change(ctx, c), ctx.Err())
		})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
			t.Errorf("error %v after %v", err, time.Since(begun))
		}
		synctest.Wait()
		r.is(t, "given up", "before/before")
	})
}

func TestSuspendCountsForTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		r.made(t)
		time.Sleep(10 * time.Second)
		r.suspend(8 * time.Hour)
		time.Sleep(tick)
		synctest.Wait()
		r.is(t, "after a night", "before/before")
	})
}

func TestTooLateIsSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		e := r.made(t)
		r.suspend(2 * time.Minute) // the timer has not fired yet
		if _, err := r.Confirm(t.Context(), e.ID, ""); !errors.Is(err, ErrLate) {
			t.Errorf("error %v", err)
		}
		time.Sleep(tick)
		synctest.Wait()
		r.is(t, "late", "before/before")
	})
}

func TestOverlapIsRefusedWithTheHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		e := r.made(t)
		time.Sleep(12 * time.Second)
		c := minute("eth1") // br0 is held, eth1 is not
		_, err := r.Arm(t.Context(), c)
		want := fmt.Sprintf("br0 is held by change %[1]s (eth0 into br0), armed 12s ago: first kvmnet bridge confirm %[1]s, or kvmnet bridge rollback %[1]s", e.ID)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if err := r.Held("eth1"); err != nil {
			t.Error(err)
		}
		c.Holds = []string{"eth1", "br1"}
		if _, err := r.Arm(t.Context(), c); err != nil {
			t.Errorf("disjoint: %v", err)
		}
		if _, err := r.Confirm(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "several changes wait, name one: ") {
			t.Errorf("error %v", err)
		}
		if _, err := r.Rollback(t.Context(), e.ID, ""); err != nil {
			t.Error(err)
		}
		if err := r.Held("eth0", "br0"); err != nil {
			t.Errorf("released, but %v", err)
		}
	})
}

func TestNothingWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	defer r.Abandon()
	for id, want := range map[string]string{"": "no such change waits for a confirmation", "beef": "no such change waits as beef; those that do: none"} {
		if _, err := r.Confirm(t.Context(), id, ""); err == nil || err.Error() != want {
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := r.Arm(t.Context(), Change{Kind: "odd", What: "it"}); err == nil || !strings.Contains(err.Error(), `nobody reverts changes of kind "odd"`) {
		t.Errorf("error %v", err)
	}
}

func TestRevertThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		e := r.made(t)
		r.fail = 5
		if _, err := r.Rollback(t.Context(), e.ID, "asked to"); err == nil || !strings.Contains(err.Error(), "the kernel says no; that is tried again") {
			t.Errorf("error %v", err)
		}
		if p := r.Pending(); len(p) != 1 || p[0].State != Reverting || p[0].Failure != "the kernel says no" {
			t.Errorf("pending %+v", p)
		}
		if _, err := r.Confirm(t.Context(), e.ID, ""); !errors.Is(err, ErrLate) {
			t.Errorf("half reverted, and confirmed: %v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.is(t, "a minute later", "before/before")
		if got := r.states(); got != "| reverted" {
			t.Error(got)
		}
	})
}

func TestFinishThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.Abandon()
		r.made(t)
		r.fail = 5
		e, err := r.Confirm(t.Context(), "", "")
		if err != nil || e.State != Confirmed || e.Failure != "the kernel says no" {
			t.Errorf("%+v, %v", e, err)
		}
		if _, err := r.Rollback(t.Context(), e.ID, ""); err == nil {
			t.Error("a confirmed change was rolled back")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.is(t, "a minute later", "after/after")
		if got := r.states(); got != "| confirmed" || len(r.ended) != 1 {
			t.Error(got, r.ended)
		}
	})
}

// A daemon that stops in order leaves nothing armed: nobody would watch the deadline.
func TestCloseReverts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.made(t)
		open := Change{Kind: "test", What: "interfaces", Holds: []string{"files"}}
		if _, err := r.Arm(t.Context(), open); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(t.Context()); err != nil {
			t.Error(err)
		}
		r.is(t, "closed", "before/before")
		if got := r.states(); got != "armed | reverted" {
			t.Error(got)
		}
		if _, err := r.Arm(t.Context(), minute("eth0")); err == nil {
			t.Error("a closed journal armed a change")
		}
	})
}

func TestHistoryKeepsTheLastHundred(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for n := range 130 {
			c := minute("eth0")
			c.What, c.Before = fmt.Sprint("change ", n), []byte(`"large"`)
			if _, err := r.Make(t.Context(), c, r.change); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Rollback(t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
		}
		r.Abandon()
		next, err := start(t, r.disk, r.world, bootA)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Abandon()
		past := next.History()
		if len(past) != historySize || past[0].What != "change 129" || past[99].What != "change 30" || past[0].Before != nil {
			t.Errorf("%d changes, from %q to %q", len(past), past[0].What, past[len(past)-1].What)
		}
	})
}
