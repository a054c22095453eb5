package manage

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"kvmnet/internal/api"
)

// A listener that does not listen holds up nobody and loses the oldest.
func TestSlowListenerLosesTheOldest(t *testing.T) {
	t.Parallel()
	var h hub
	slow := h.listen()
	const extra = 10
	for i := range backlog + extra {
		h.say("applied", fmt.Sprint(i), "")
	}
	for i := range backlog {
		if e := <-slow; e.Object != fmt.Sprint(i+extra) {
			t.Fatalf("event %d is %s, want %d", i, e.Object, i+extra)
		}
	}
	h.say("applied", "next", "")
	if e := <-slow; e.Object != "next" || e.Time.IsZero() {
		t.Errorf("got %+v", e)
	}
}

func TestWhoLeftIsToldNothing(t *testing.T) {
	t.Parallel()
	var h hub
	gone, here := h.listen(), h.listen()
	h.leave(gone)
	h.leave(gone)
	h.say("created", "network/lab", "")
	if len(gone) > 0 || len(here) != 1 {
		t.Errorf("the one who left has %d events, the other %d", len(gone), len(here))
	}
}

func TestEventsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	var m Manager
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(chan api.Event), make(chan error)
	go func() { ended <- m.Events(ctx, func(e api.Event) { got <- e }) }()
	(&rig{t: t}).eventually("a listener", func() bool {
		m.events.mu.Lock()
		defer m.events.mu.Unlock()
		return len(m.events.listeners) == 1
	})
	m.events.say("created", "network/lab", "")
	if e := <-got; e.Object != "network/lab" {
		t.Errorf("got %+v", e)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(m.events.listeners) > 0 {
		t.Error("it listens still")
	}
}

// Many talk while listeners come, dawdle and go: nobody waits for ever.
func TestListenersComeAndGoWhileManyTalk(t *testing.T) {
	t.Parallel()
	var h hub
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2 * backlog {
				h.say("applied", "network/lab", "")
			}
		})
		wg.Go(func() {
			for range 50 {
				c := h.listen()
				for len(c) > 0 {
					<-c
				}
				h.leave(c)
			}
		})
	}
	wg.Wait()
}
