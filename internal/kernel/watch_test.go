package kernel

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/plan"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// watch starts to watch and returns the wake-ups; the first has been taken.
func (w *world) watch() chan struct{} {
	w.Helper()
	woken, done := make(chan struct{}, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- w.Watch(ctx, func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
	}()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("watch: %v", err)
		}
	})
	w.waits(woken)
	return woken
}

func (w *world) waits(woken chan struct{}) {
	w.Helper()
	select {
	case <-woken:
	case <-time.After(patience):
		w.Fatal("not woken")
	}
}

func TestWatchWakesForEveryChange(t *testing.T) {
	t.Parallel()
	link, up := bridge("lab0"), plan.Up{Link: "lab0"}
	a4, a6 := addr("lab0", "10.1.0.1/24"), addr("lab0", "fd01::1/64")
	r4, r6 := via("lab0", "10.9.0.0/16", "10.1.0.9", 0), via("lab0", "fd09::/48", "fd01::9", 0)
	made := []plan.Object{link, up, a4, a6, r4, r6}
	for i, o := range made {
		for _, verb := range []plan.Verb{plan.Add, plan.Del} {
			t.Run(string(verb)+" "+o.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.must(plan.Add, made[:i]...)
				if verb == plan.Del {
					w.must(plan.Add, o)
				}
				woken := w.watch()
				w.settle(woken)
				w.must(verb, o)
				w.waits(woken)
			})
		}
	}
}

func TestWatchWakesForForwarding(t *testing.T) {
	t.Parallel()
	for _, setting := range []plan.Sysctl{
		{Family: "ipv4", Link: "lab0", Name: "forwarding", Value: "1"},
		{Family: "ipv4", Link: "all", Name: "forwarding", Value: "1"},
		{Family: "ipv6", Link: "lab0", Name: "forwarding", Value: "1"},
		{Family: "ipv6", Link: "all", Name: "forwarding", Value: "1"},
	} {
		t.Run(setting.Path(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(plan.Add, bridge("lab0"))
			woken := w.watch()
			w.settle(woken)
			w.must(plan.Add, setting)
			w.waits(woken)
		})
	}
}

// settle waits until the kernel has told all it had to tell of what was done
// before, such as a link-local address that comes late.
func (w *world) settle(woken chan struct{}) {
	quiet := 200 * time.Millisecond
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-woken:
		case <-time.After(quiet):
			return
		}
	}
}

func TestWatchGoesOnAfterALoss(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, err := w.subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// More than the socket holds, unread.
	for range 200 {
		w.must(plan.Add, bridge("lab0"), bridge("lab1"), plan.Up{Link: "lab0"}, addr("lab0", "10.1.0.1/24"))
		w.must(plan.Del, addr("lab0", "10.1.0.1/24"), plan.Up{Link: "lab0"})
	}
	for range 2 {
		if err := await(s); err != nil {
			t.Fatal(err)
		}
		w.must(plan.Add, plan.Up{Link: "lab1"}) // still heard
	}
}

func TestWatchEndsWithItsContextAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	before := goleak.IgnoreCurrent()
	ctx, cancel := context.WithCancel(context.Background())
	if err := w.Watch(ctx, cancel); err != nil {
		t.Error(err)
	}
	if err := w.Watch(ctx, func() { t.Error("woken after the end") }); err != nil {
		t.Error(err)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

func TestObserveAndApplyEndWithTheirContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.Observe(ctx); err != context.Canceled {
		t.Errorf("observe: %v", err)
	}
	errs := w.Apply(ctx, []plan.Op{{Verb: plan.Add, Object: bridge("lab0")}, {Verb: plan.Add, Object: bridge("lab1")}})
	if len(errs) != 1 || errs[0] == nil {
		t.Errorf("apply: %v", errs)
	}
	if _, there := w.see().Link("", "lab0"); there {
		t.Error("applied after the end")
	}
}
