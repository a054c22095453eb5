package dns

import (
	"net/netip"
	"sync"
)

// limiter bounds how many queries a second each client may ask. It is a token
// bucket of one second's worth, kept as the time when the bucket is full again.
// The zero limiter has no table yet.
type limiter struct {
	mu   sync.Mutex
	full map[netip.Addr]int64
}

// mostClients bounds the table. A guest that makes up addresses has them
// forgotten again and gains nothing beyond what an address more gives it.
const mostClients = 4096

// allow takes a token of the client's bucket. A rate of 0 is no limit.
func (l *limiter) allow(client netip.Addr, rate int, now int64) bool {
	if rate <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	token := int64(1e9) / int64(rate)
	full := max(l.full[client], now) + token
	if full-now > 1e9 {
		return false
	}
	if l.full == nil {
		l.full = map[netip.Addr]int64{}
	}
	if len(l.full) >= mostClients {
		l.forget(now)
	}
	l.full[client] = full
	return true
}

// forget drops the clients whose buckets are full, and any others when there are
// none: a sixteenth of them at once, so that it seldom happens.
func (l *limiter) forget(now int64) {
	for client, full := range l.full {
		if full <= now {
			delete(l.full, client)
		}
	}
	for client := range l.full {
		if len(l.full) <= mostClients*15/16 {
			return
		}
		delete(l.full, client)
	}
}
