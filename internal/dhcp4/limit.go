package dhcp4

import (
	"sync"
	"time"

	"kvmnet/internal/spec"
)

// mostRates is how many senders have a rate of their own at a time.
const mostRates = 4096

// limiter is a token bucket for each sender: rate requests a second, and as many
// at once. When a flood of made-up senders fills the table, all new ones share
// one bucket, so memory is bounded and those who are known go on.
type limiter struct {
	buckets map[spec.MAC]*bucket
	rest    bucket
	swept   time.Time
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter() *limiter { return &limiter{buckets: map[spec.MAC]*bucket{}} }

// allow takes a token of the sender; rate 0 is no limit.
func (l *limiter) allow(mac spec.MAC, rate int, now time.Time) bool {
	if rate <= 0 {
		return true
	}
	return l.bucketOf(mac, now).take(float64(rate), now)
}

func (l *limiter) bucketOf(mac spec.MAC, now time.Time) *bucket {
	if b := l.buckets[mac]; b != nil {
		return b
	}
	if len(l.buckets) >= mostRates {
		l.sweep(now)
	}
	if len(l.buckets) >= mostRates {
		return &l.rest
	}
	b := &bucket{}
	l.buckets[mac] = b
	return b
}

// sweep drops who has been quiet long enough to have all its tokens again. Once a
// second is enough, however many new senders there are.
func (l *limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for mac, b := range l.buckets {
		if now.Sub(b.at) >= time.Second {
			delete(l.buckets, mac)
		}
	}
}

func (b *bucket) take(rate float64, now time.Time) bool {
	b.tokens = min(rate, b.tokens+rate*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// throttle lets a message with the same key pass once a minute.
type throttle struct {
	mu   sync.Mutex
	last map[string]time.Time
}

const (
	quiet    = time.Minute
	mostKeys = 256 // different messages within a minute; more are dropped
)

func newThrottle() *throttle { return &throttle{last: map[string]time.Time{}} }

func (t *throttle) allow(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at, ok := t.last[key]; ok && now.Sub(at) < quiet {
		return false
	}
	if len(t.last) >= mostKeys {
		for k, at := range t.last {
			if now.Sub(at) >= quiet {
				delete(t.last, k)
			}
		}
	}
	if len(t.last) >= mostKeys {
		return false
	}
	t.last[key] = now
	return true
}
