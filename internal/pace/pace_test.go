package pace

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Unix(1000, 0)

// passed is how many of a thousand requests at one instant are let through.
func passed(l *Limiter[int], sender, rate int, now time.Time) (n int) {
	for range 1000 {
		if l.Allow(sender, rate, now) {
			n++
		}
	}
	return n
}

func TestRateOfASender(t *testing.T) {
	t.Parallel()
	var l Limiter[int]
	for _, c := range []struct {
		name         string
		sender, rate int
		after        time.Duration
		want         int
	}{
		{"at once", 1, 100, 0, 100},
		{"another sender", 2, 100, 0, 100},
		{"after half a second", 1, 100, 500 * time.Millisecond, 50},
		{"after a long time", 1, 100, time.Hour, 100},
		{"a clock that went back", 1, 100, time.Minute, 0},
		{"no limit", 1, 0, time.Hour, 1000},
		{"a rate that was raised", 2, 200, 0, 0},
		{"which counts a second later", 2, 200, time.Second, 200},
	} {
		if n := passed(&l, c.sender, c.rate, start.Add(c.after)); n != c.want {
			t.Errorf("%s: %d passed, want %d", c.name, n, c.want)
		}
	}
}

// TestMadeUpSendersKeepNobodyOut: a guest that sends from ever new addresses fills
// the table, and who comes then is served all the same.
func TestMadeUpSendersKeepNobodyOut(t *testing.T) {
	t.Parallel()
	var l Limiter[int]
	for n := range 10 * mostSenders {
		l.Allow(n, 5, start)
		if n%100 == 0 && !l.Allow(-n-1, 5, start) {
			t.Fatalf("a newcomer is kept out after %d", n)
		}
	}
	if len(l.full) > mostSenders {
		t.Errorf("%d senders are remembered", len(l.full))
	}
	l.Allow(-1, 5, start.Add(2*time.Second))
	if n := len(l.full); n > mostSenders {
		t.Errorf("%d senders are remembered after the flood", n)
	}
}

func TestQuietIsBounded(t *testing.T) {
	t.Parallel()
	var q Quiet
	told := 0
	for n := range 2 * mostMessages {
		for range 2 {
			if q.Allow(fmt.Sprint(n), start) {
				told++
			}
		}
	}
	if told != mostMessages {
		t.Errorf("%d were told", told)
	}
	later := start.Add(quietTime)
	if !q.Allow("1", later) || !q.Allow("new", later) || q.Allow("1", later) {
		t.Error("not once a minute")
	}
}
