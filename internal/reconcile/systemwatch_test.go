package reconcile

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

func itoa(n int) string { return strconv.Itoa(n) }

func mustPrefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// woken counts the wake-ups of a System.
type woken chan struct{}

// watching watches until the end of the test.
func (m *machine) watching() woken {
	m.Helper()
	w, done := make(woken, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- m.Watch(ctx, func() {
			select {
			case w <- struct{}{}:
			default:
			}
		})
	}()
	m.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			m.Errorf("watch: %v", err)
		}
	})
	return w
}

// quiet waits until nothing more wakes.
func (w woken) quiet(t testing.TB) {
	t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case <-w:
		case <-time.After(300 * time.Millisecond):
			return
		case <-deadline:
			t.Fatal("woken again and again")
		}
	}
}

func (w woken) wakes(t testing.TB, what string) {
	t.Helper()
	select {
	case <-w:
	case <-time.After(patience):
		t.Fatalf("not woken when %s", what)
	}
}

func TestWatchHearsOfRoutersAsTheyComeAndGo(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) })
	m := newMachine(t)
	r0, r1 := plan.Netns{Mark: "router/r0", Name: "r0"}, plan.Netns{Mark: "router/r1", Name: "r1"}
	m.must(plan.Add, r0)
	w := m.watching()
	w.wakes(t, "it began")
	w.quiet(t)

	m.must(plan.Add, r1)
	w.wakes(t, "r1 was made")
	w.quiet(t)
	for _, name := range []string{"r0", "r1"} {
		ns, _, _, _ := m.Namespace(name)
		nstest.Run(t, ns, "ip", "link", "set", "lo", "up")
		w.wakes(t, "a link of "+name+" changed")
		w.quiet(t)
		nstest.Run(t, ns, "nft", "add table inet t")
		w.wakes(t, "a rule of "+name+" changed")
		w.quiet(t)
	}

	if err := m.dir.Delete("r1"); err != nil {
		t.Fatal(err)
	}
	w.wakes(t, "r1 was deleted by hand")
	old, _, _, _ := m.Namespace("r1")
	m.see()
	w.quiet(t)
	nstest.Run(t, old, "ip", "link", "set", "lo", "down")
	select {
	case <-w:
		t.Error("woken by a namespace that went")
	case <-time.After(100 * time.Millisecond):
	}

	m.foreign("r2", "router/r2")
	w.wakes(t, "another namespace came")
	m.see()
	w.quiet(t)
	ns, _, _, there := m.Namespace("r2")
	if !there {
		t.Fatal("a namespace with our mark is not ours")
	}
	nstest.Run(t, ns, "ip", "link", "set", "lo", "up")
	w.wakes(t, "a link of r2 changed")
}
