package radv

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"sync"
	"time"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// Link carries advertisements to the network. Send must not block and must not
// call back.
type Link interface {
	Send(socket.Packet) error
}

// Options are what a Server needs.
type Options struct {
	Link Link
	Log  *slog.Logger   // nil = none
	Rand func() float64 // in [0, 1); nil = math/rand
}

// Counters say what a Server did since New.
type Counters struct {
	Multicast uint64 // advertisements to all guests
	Unicast   uint64 // answers to one guest
	Discarded uint64 // solicitations against RFC 4861 section 6.1.1
	Limited   uint64 // solicitations over a limit, left to the next multicast
	Failed    uint64 // advertisements that could not be sent
}

// Server advertises one network. Its methods may be called from any goroutine.
type Server struct {
	o   Options
	log *slog.Logger

	mu       sync.Mutex
	ra       *plan.RA // nil = nothing is advertised
	mac      spec.MAC
	source   netip.Addr
	gone     []withdrawn
	initial  int         // advertisements left that follow each other quickly
	due      time.Time   // of the next multicast
	last     time.Time   // when the last multicast went
	timer    *time.Timer // nil until the first Set
	closed   bool
	unicasts limit
	count    Counters
}

// New makes a server that advertises nothing until Set.
func New(o Options) *Server {
	s := &Server{o: o, log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.o.Rand == nil {
		s.o.Rand = rand.Float64
	}
	return s
}

// Set says what is advertised from now on, with the bridge's MAC and link-local
// address. A change goes out at once (three seconds after the last multicast at
// the earliest), and what it no longer says is withdrawn in three advertisements.
// nil ends advertising with a Farewell. The same content again does nothing. ra
// must not change afterwards.
func (s *Server) Set(ra *plan.RA, mac spec.MAC, source netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed || s.same(ra, mac, source):
	case ra == nil:
		s.farewell()
	default:
		s.replace(*ra, mac, source)
	}
}

func (s *Server) same(ra *plan.RA, mac spec.MAC, source netip.Addr) bool {
	if ra == nil || s.ra == nil {
		return ra == s.ra
	}
	return s.mac == mac && s.source == source && reflect.DeepEqual(*ra, *s.ra)
}

func (s *Server) replace(ra plan.RA, mac spec.MAC, source netip.Addr) {
	s.gone = still(s.gone, ra)
	if s.ra != nil {
		for _, o := range withdraw(*s.ra, ra) {
			s.gone = append(s.gone, withdrawn{o, maxInitial})
		}
	}
	s.ra, s.mac, s.source = &ra, mac, source
	s.initial = maxInitial
	now := time.Now()
	s.schedule(latest(now, s.last.Add(minDelay)))
	if !s.due.After(now) {
		s.multicast()
	}
}

// Solicit handles a router solicitation. A guest with an address is answered at
// once by unicast, one without by the next multicast, which comes soon.
func (s *Server) Solicit(p socket.Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch now := time.Now(); {
	case s.closed || s.ra == nil:
	case !valid(p):
		s.count.Discarded++
	case p.From.Addr().IsUnspecified():
		s.soon(now)
	case s.unicasts.allow(p.MAC, now):
		s.unicast(p)
	default:
		s.count.Limited++
		s.soon(now)
	}
}

// Farewell sends a last advertisement, by which guests drop the router and its
// resolvers, before it returns. Set begins anew.
func (s *Server) Farewell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.farewell()
	}
}

// Close ends the server silently: guests keep the router, for which the next
// daemon will speak. It may be called more than once.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.stop()
}

// Counters returns what was done so far.
func (s *Server) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

func (s *Server) farewell() {
	if s.ra == nil {
		return
	}
	last, gone := parting(*s.ra)
	s.send(last, append(s.withdrawals(), gone...), allNodesMAC, allNodes)
	s.count.Multicast++
	s.last = time.Now()
	s.stop()
}

// stop leaves nothing that would speak later.
func (s *Server) stop() {
	s.ra, s.gone, s.due = nil, nil, time.Time{}
	if s.timer != nil {
		s.timer.Stop()
	}
}

// All nodes on the link (RFC 4291 section 2.7.1), and their Ethernet address.
var (
	allNodes    = netip.IPv6LinkLocalAllNodes()
	allNodesMAC = spec.MAC{0x33, 0x33, 0, 0, 0, 1}
)

func (s *Server) unicast(p socket.Packet) {
	s.count.Unicast++
	s.send(*s.ra, s.withdrawals(), p.MAC, p.From.Addr())
}

// multicast advertises to everybody, and settles when the next one is due.
func (s *Server) multicast() {
	s.count.Multicast++
	s.send(*s.ra, s.withdrawals(), allNodesMAC, allNodes)
	s.last = time.Now()
	s.initial = max(0, s.initial-1)
	s.age()
	s.schedule(s.last.Add(s.interval()))
}

func (s *Server) withdrawals() []ndp.Option {
	var options []ndp.Option
	for _, g := range s.gone {
		options = append(options, g.option)
	}
	return options
}

// age counts a multicast against what is being withdrawn.
func (s *Server) age() {
	var kept []withdrawn
	for _, g := range s.gone {
		if g.left--; g.left > 0 {
			kept = append(kept, g)
		}
	}
	s.gone = kept
}

func (s *Server) send(ra plan.RA, gone []ndp.Option, mac spec.MAC, to netip.Addr) {
	payload, err := message(ra, s.mac, gone)
	if err == nil {
		err = s.o.Link.Send(socket.Packet{MAC: mac, From: netip.AddrPortFrom(s.source, 0), To: netip.AddrPortFrom(to, 0), Payload: payload})
	}
	if err != nil {
		s.count.Failed++
		s.log.Debug("router advertisement not sent", "error", fmt.Errorf("send router advertisement to %s: %w", to, err))
	}
}
