package dns

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/miekg/dns"
)

const (
	mostFlights   = 512  // questions that are asked elsewhere at the same time
	mostWaiters   = 2048 // clients' queries that wait for them
	mostPerClient = 256  // of which those of one client, so that it leaves room to others
)

// waiter is a query that waits for an answer from elsewhere.
type waiter struct {
	query query
	from  netip.AddrPort
	host  bool     // the host itself asks
	chain []dns.RR // aliases of ours that led to the question
	names uint64   // generation of the dynamic names the decision rests on
	send  func([]byte)
}

// flight is one question to upstream servers, for all who ask it.
type flight struct {
	key     []byte
	name    string
	to      *route
	names   uint64 // generation of the dynamic names that it was begun with
	local   bool   // it was sent to a server on this host
	waiters []waiter
}

// forwarding is what is known and asked elsewhere. It lasts as long as the
// configuration leaves the same questions to the same servers.
type forwarding struct {
	shelf    shelf
	upstream atomic.Uint64 // version of the host's resolvers that the shelf is of

	mu       sync.Mutex
	flights  map[string]*flight
	waiting  int
	byClient map[netip.Addr]int
}

// What becomes of a query that joins.
const (
	joined  = iota // somebody asks already
	started        // the caller must let the flight go
	again          // the same client has asked the same before
	looped         // it is our own question that came back
	full           // there is no room
)

// join lets a query wait for an answer. It is our own question that comes back
// when the host asks what we are just asking a server on the host. A client that
// asks again because it waits is counted once.
func (f *forwarding) join(key []byte, name string, to *route, w waiter) (*flight, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := f.flights[string(key)]
	if fl != nil {
		for i := range fl.waiters {
			if o := &fl.waiters[i]; o.from == w.from && o.query.id == w.query.id {
				return fl, again
			}
		}
		if w.host && fl.local {
			return fl, looped
		}
	}
	client := w.from.Addr()
	if f.waiting >= mostWaiters || f.byClient[client] >= mostPerClient || fl == nil && len(f.flights) >= mostFlights {
		return nil, full
	}
	if f.flights == nil {
		f.flights, f.byClient = map[string]*flight{}, map[netip.Addr]int{}
	}
	f.waiting++
	f.byClient[client]++
	if fl != nil {
		fl.waiters = append(fl.waiters, w)
		return fl, joined
	}
	fl = &flight{key: key, name: name, to: to, names: w.names, waiters: []waiter{w}}
	f.flights[string(key)] = fl
	return fl, started
}

// sentTo notes that a flight's question went to a server on this host.
func (f *forwarding) sentTo(fl *flight, local bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.local = fl.local || local
}

// land ends a flight and returns who waits for it.
func (f *forwarding) land(fl *flight) []waiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.flights, string(fl.key))
	f.waiting -= len(fl.waiters)
	for i := range fl.waiters {
		client := fl.waiters[i].from.Addr()
		if f.byClient[client]--; f.byClient[client] <= 0 {
			delete(f.byClient, client)
		}
	}
	return fl.waiters
}
