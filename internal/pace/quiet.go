package pace

import (
	"sync"
	"time"
)

const (
	quietTime    = time.Minute // between two messages of one key
	mostMessages = 256         // different ones within that time; more are not let through
)

// Quiet lets a message through once a minute. The zero Quiet is ready. Its methods
// may be called from any goroutine.
type Quiet struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// Allow reports whether a message with that key may be told now, and counts it if
// so.
func (q *Quiet) Allow(key string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at, told := q.last[key]; told && now.Sub(at) < quietTime {
		return false
	}
	if len(q.last) >= mostMessages {
		q.forget(now)
	}
	if len(q.last) >= mostMessages {
		return false
	}
	if q.last == nil {
		q.last = map[string]time.Time{}
	}
	q.last[key] = now
	return true
}

func (q *Quiet) forget(now time.Time) {
	for key, at := range q.last {
		if now.Sub(at) >= quietTime {
			delete(q.last, key)
		}
	}
}
