package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoopThatHangsIsNotAlive has a loop that answers three times and then no more.
func TestLoopThatHangsIsNotAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked, told := 0, 0
		ask := func(ctx context.Context) error {
			if asked++; asked > 3 {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		go pulse(ctx, time.Second, ask, func() { told++ })
		time.Sleep(1500 * time.Millisecond)
		if synctest.Wait(); told != 2 {
			t.Errorf("after 1.5 s it was told %d times, want 2", told)
		}
		time.Sleep(time.Hour)
		if synctest.Wait(); told != 3 {
			t.Errorf("after an hour it was told %d times, want 3", told)
		}
		cancel()
		synctest.Wait()
	})
}
