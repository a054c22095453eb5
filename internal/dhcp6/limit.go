package dhcp6

import (
	"sync"
	"time"

	"kvmnet/internal/spec"
)

// Bounds of what a server remembers about its clients.
const (
	mostMACs     = 1 << 16     // Ethernet addresses counted in one second
	mostWarnings = 64          // different warnings in one quiet time
	quiet        = time.Minute // between two warnings of one key
)

// limiter counts requests by Ethernet address, a second at a time.
type limiter struct {
	mu    sync.Mutex
	began time.Time
	of    map[spec.MAC]int
}

// allow counts a request of mac and reports whether it is within rate a second; 0
// is any number.
func (l *limiter) allow(mac spec.MAC, rate int, now time.Time) bool {
	if rate <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil || now.Sub(l.began) >= time.Second {
		l.began, l.of = now, map[spec.MAC]int{}
	}
	n, known := l.of[mac]
	if n >= rate || !known && len(l.of) >= mostMACs {
		return false
	}
	l.of[mac] = n + 1
	return true
}

// quieter lets a warning through once in a quiet time.
type quieter struct {
	mu   sync.Mutex
	told map[string]time.Time
}

func (q *quieter) allow(key string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at, ok := q.told[key]; ok && now.Sub(at) < quiet {
		return false
	}
	for k, at := range q.told {
		if now.Sub(at) >= quiet {
			delete(q.told, k)
		}
	}
	if len(q.told) >= mostWarnings {
		return false
	}
	if q.told == nil {
		q.told = map[string]time.Time{}
	}
	q.told[key] = now
	return true
}
