package daemon

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoopThatHangsIsNotAlive has a loop that answers three times and then no more.
func TestLoopThatHangsIsNotAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		var told atomic.Int32
		ask := func(ctx context.Context) error {
			if asked++; asked > 3 {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		go pulse(ctx, time.Second, ask, func() { told.Add(1) })
		time.Sleep(1500 * time.Millisecond)
		if synctest.Wait(); told.Load() != 2 {
			t.Errorf("after 1.5 s it was told %d times, want 2", told.Load())
		}
		time.Sleep(time.Hour)
		if synctest.Wait(); told.Load() != 3 {
			t.Errorf("after an hour it was told %d times, want 3", told.Load())
		}
		cancel()
		synctest.Wait()
	})
}
