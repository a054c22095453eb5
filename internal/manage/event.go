package manage

import (
	"context"
	"sync"
	"time"

	"kvmnet/internal/api"
)

// backlog is how many events a listener may lag behind; a slower one loses the
// oldest, because the daemon waits for nobody.
const backlog = 1024

// hub passes events on to whoever listens.
type hub struct {
	mu        sync.Mutex
	listeners map[chan api.Event]bool
}

func (h *hub) say(kind, object, message string) {
	h.send(api.Event{Time: time.Now(), Type: kind, Object: object, Message: message})
}

func (h *hub) send(e api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.listeners {
		select {
		case c <- e:
		default:
			select { // full: drop the oldest
			case <-c:
			default:
			}
			c <- e // cannot block: only send puts into c, and it holds the lock
		}
	}
}

// heard reports whether anybody listens.
func (h *hub) heard() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.listeners) > 0
}

func (h *hub) listen() chan api.Event {
	c := make(chan api.Event, backlog)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners == nil {
		h.listeners = map[chan api.Event]bool{}
	}
	h.listeners[c] = true
	return c
}

func (h *hub) leave(c chan api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, c)
}

// Events implements api.Service.
func (m *Manager) Events(ctx context.Context, send func(api.Event)) error {
	c := m.events.listen()
	defer m.events.leave(c)
	for {
		select {
		case e := <-c:
			send(e)
		case <-ctx.Done():
			return nil
		}
	}
}
