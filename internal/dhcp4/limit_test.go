package dhcp4

import (
	"fmt"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

func TestRateOfOneSender(t *testing.T) {
	t.Parallel()
	d := lab()
	d.Rate = 10
	world(t, d, func(r *rig) {
		time.Sleep(time.Second)
		for range 25 {
			r.handle(guest(1), msg(discover, guest(1)))
		}
		if c := r.server.Counters(); c.RateLimited != 15 || c.Received != 25 {
			t.Errorf("counters %+v", c)
		}
		r.handle(guest(2), msg(discover, guest(2)))
		if c := r.server.Counters(); c.RateLimited != 15 {
			t.Error("another sender is limited, too")
		}
		time.Sleep(500 * time.Millisecond)
		for range 25 {
			r.handle(guest(1), msg(discover, guest(1)))
		}
		if c := r.server.Counters(); c.RateLimited != 35 {
			t.Errorf("half a second later: counters %+v", c)
		}
	})
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l, now := newLimiter(), time.Unix(1000, 0)
	known := spec.MAC{1}
	l.allow(known, 10, now)
	let := 0
	for n := range 3 * mostRates {
		if l.allow(spec.MAC{2, 0, 0, byte(n >> 16), byte(n >> 8), byte(n)}, 10, now) {
			let++
		}
	}
	if len(l.buckets) != mostRates || let > mostRates+10 {
		t.Errorf("%d buckets, %d requests passed", len(l.buckets), let)
	}
	if !l.allow(known, 10, now) {
		t.Error("who was there before is limited")
	}
	now = now.Add(2 * time.Second)
	if !l.allow(spec.MAC{3}, 10, now) || len(l.buckets) > 1 {
		t.Errorf("%d buckets after the flood", len(l.buckets))
	}
	if !l.allow(known, 0, now) {
		t.Error("no limit is a limit")
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), time.Unix(1000, 0)
	passed := 0
	for n := range 2 * mostKeys {
		for range 2 {
			if th.allow(fmt.Sprint(n), now) {
				passed++
			}
		}
	}
	if passed != mostKeys {
		t.Errorf("%d passed", passed)
	}
	if !th.allow("1", now.Add(quiet)) || !th.allow("new", now.Add(quiet)) || th.allow("1", now.Add(quiet)) {
		t.Error("not once a minute")
	}
}
