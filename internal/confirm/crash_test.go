package confirm

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Each life is what one daemon does with a change before the power, or the disk,
// fails it somewhere.
var lives = map[string]func(*testing.T, *rig){
	"rolled back": func(t *testing.T, r *rig) {
		r.Make(t.Context(), minute("eth0"), r.change)
		r.Rollback(t.Context(), "", "asked to")
	},
	"confirmed": func(t *testing.T, r *rig) {
		r.Make(t.Context(), minute("eth0"), r.change)
		r.Confirm(t.Context(), "", "")
	},
	"confirmed at the second try": func(t *testing.T, r *rig) {
		r.Make(t.Context(), minute("eth0"), r.change)
		r.Confirm(t.Context(), "", "")
		r.Confirm(t.Context(), "", "")
	},
	"unconfirmed": func(t *testing.T, r *rig) {
		r.Make(t.Context(), minute("eth0"), r.change)
		time.Sleep(2 * time.Minute)
	},
	"closed": func(t *testing.T, r *rig) {
		r.Make(t.Context(), minute("eth0"), r.change)
		r.Close(t.Context())
	},
}

// The process ends at every call of the disk. Whatever the disk has by then, the
// next start leads to before or to after, in the same boot and in another, and
// never to something between.
func TestPowerGoesAtAnyCall(t *testing.T) {
	t.Parallel()
	for name, live := range lives {
		for stop := 1; ; stop++ {
			d, w := newMemory(), newWorld()
			d.stop = stop
			synctest.Test(t, func(t *testing.T) {
				r, err := start(t, d, w, bootA)
				if err != nil {
					t.Fatal(err)
				}
				live(t, r)
				r.Abandon()
			})
			for left, disk := range d.left() {
				for _, boot := range []string{bootA, bootB} {
					resume(t, fmt.Sprintf("%s, stopped at call %d, %s, boot %s", name, stop, left, boot), disk, w, boot)
				}
			}
			if d.calls < stop {
				if stop < 6 {
					t.Errorf("%s: only %d calls", name, stop)
				}
				break
			}
		}
	}
}

// resume starts again over a copy of what is left.
func resume(t *testing.T, when string, d *memory, was *world, boot string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{kernel: was.kernel, files: was.files}
		if boot != bootA {
			w.kernel = w.files
		}
		r, err := start(t, d.left()["new names"], w, boot)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Abandon()
		if _, err := r.Recover(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
		if boot != bootA && w.files == "after" {
			w.kernel = w.files // recover runs before the network comes up
		}
		if got := w.String(); got != "before/before" && got != "after/after" {
			t.Errorf("%s: %s", when, got)
		}
		if p := r.Pending(); len(p) > 0 {
			t.Errorf("%s: still waits: %+v", when, p)
		}
	})
}

// The disk is full at every call for a while. The daemon lives, and ends in before or
// in after, on the disk as in the kernel.
func TestDiskIsFullAtAnyCall(t *testing.T) {
	t.Parallel()
	for name, live := range lives {
		for from, calls := 1, 1; from <= calls; from++ {
			for _, length := range []int{1, 2, 3, 1000} {
				when := fmt.Sprintf("%s, full for %d calls from %d", name, length, from)
				d, w := newMemory(), newWorld()
				d.full = [2]int{from, from + length}
				synctest.Test(t, func(t *testing.T) {
					r, err := start(t, d, w, bootA)
					if err != nil {
						t.Fatal(err)
					}
					live(t, r)
					time.Sleep(2 * time.Minute)
					d.repair()
					time.Sleep(time.Minute)
					synctest.Wait()
					if got := w.String(); got != "before/before" && got != "after/after" {
						t.Errorf("%s: %s", when, got)
					}
					if p := r.Pending(); len(p) > 0 {
						t.Errorf("%s: still waits: %+v", when, p)
					}
					r.Abandon()
				})
				resume(t, when+", then a start", d, w, bootA)
				if length == 1 {
					calls = max(calls, d.calls)
				}
			}
		}
	}
}
