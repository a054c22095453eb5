package pace

import (
	"sync"
	"time"
)

// mostSenders bounds a table. A guest that makes senders up has them forgotten
// again, and gains by it what each of them is allowed; to share one allowance
// among all who are new would let it keep everybody else out.
const mostSenders = 4096

// Limiter bounds how many requests a second each sender may make: a token bucket
// of one second's worth for each. The zero Limiter is ready. Its methods may be
// called from any goroutine.
type Limiter[K comparable] struct {
	mu   sync.Mutex
	full map[K]time.Time // when the bucket is full again
}

// Allow takes a token of the sender's bucket. A rate of 0 or less is no limit.
func (l *Limiter[K]) Allow(sender K, rate int, now time.Time) bool {
	if rate <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[sender]
	if full.Before(now) {
		full = now
	}
	if full = full.Add(time.Second / time.Duration(rate)); full.Sub(now) > time.Second {
		return false
	}
	if !known && len(l.full) >= mostSenders {
		l.forget(now)
	}
	if l.full == nil {
		l.full = map[K]time.Time{}
	}
	l.full[sender] = full
	return true
}

// forget drops the senders whose buckets are full, and any others when there are
// none: a sixteenth of the table at once, so that it seldom happens.
func (l *Limiter[K]) forget(now time.Time) {
	for sender, full := range l.full {
		if !full.After(now) {
			delete(l.full, sender)
		}
	}
	for sender := range l.full {
		if len(l.full) <= mostSenders*15/16 {
			return
		}
		delete(l.full, sender)
	}
}
