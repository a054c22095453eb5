package dns

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Options are what a server needs besides its configuration.
type Options struct {
	NS       *netns.NS             // where it listens and asks; not nil
	Home     *Home                 // where the resolvers of the host are asked instead; nil = in NS, too
	Names    Names                 // nil = none
	Upstream *Upstreams            // nil = the host has no resolvers
	Local    func(netip.Addr) bool // whether an address is one of the host's own; nil = only those of lo
	Log      *slog.Logger          // nil = none

	// Private tells whether a zone is another network's, whose names guests of this
	// one must not read: its domain or a reverse zone, in lower case, with its final
	// dot. What was kept of a zone before it became one ends by itself. nil = none is.
	Private func(zone string) bool

	// Joined finds the server of another network that shares the names of a zone with
	// the guests of this one, when there is one; nil = none does. It is asked as the
	// host asks.
	Joined func(zone string) (Neighbour, bool)

	Warn func(message string) // what an administrator should know, each once; nil = it is logged
}

// Server is the DNS server of one network.
type Server struct {
	o     Options
	epoch time.Time
	state atomic.Pointer[state]
	tally tally
	limit limiter
	conns connections

	connect func(to *route, a netip.AddrPort, stream bool, deadline time.Time) (conn, error) // dial

	ctx   context.Context
	end   context.CancelFunc
	tasks sync.WaitGroup

	warned sync.Map // messages given to Warn

	mu      sync.Mutex // of Set and Close
	sockets map[netip.Addr]*listener
}

// state is a configuration in force and what is kept for it.
type state struct {
	plan    *plan.DNS
	zone    *zone
	bridge  int // interface index
	shelf   *shelf
	forward *forwarding
}

// New makes a server, which serves nothing before Set.
func New(o Options) *Server {
	if o.Local == nil {
		o.Local = netip.Addr.IsLoopback
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{o: o, epoch: time.Now(), sockets: map[netip.Addr]*listener{}}
	s.connect = s.dial
	s.ctx, s.end = context.WithCancel(context.Background())
	return s
}

// ownAnswers bounds how many answers of our own are kept packed.
const ownAnswers = 2048

// Set applies a configuration, nil = serve nothing. Sockets whose addresses stay
// are not touched. Addresses that cannot be listened on are told by the error,
// the others work; Set again tries them again. The configuration must not be
// changed afterwards. The index is that of the bridge.
func (s *Server) Set(c *plan.DNS, bridge int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil:
		return errors.New("set the DNS server: it is closed")
	case c == nil:
		s.close(func(netip.Addr) bool { return true })
		s.state.Store(nil)
		return nil
	}
	s.adopt(c, bridge)
	s.close(func(a netip.Addr) bool { return !slices.Contains(c.Listen, a) })
	var errs []error
	for _, a := range c.Listen {
		errs = append(errs, s.listen(a))
	}
	return errors.Join(errs...)
}

// adopt makes a configuration the one that queries are answered by. When it is
// the same as before, what is kept stays.
func (s *Server) adopt(c *plan.DNS, bridge int) {
	old := s.state.Load()
	if old != nil && old.bridge == bridge && reflect.DeepEqual(old.plan, c) {
		return
	}
	st := &state{plan: c, zone: compile(c, s.serial(), s.o.Private), bridge: bridge, shelf: &shelf{limit: ownAnswers}, forward: &forwarding{}}
	st.zone.joined = s.o.Joined
	if old != nil && sameQuestions(old.plan, c) {
		st.forward = old.forward
	}
	st.forward.shelf.resize(c.Cache)
	s.state.Store(st)
}

// serial grows with time, as that of a zone must from one Set to the next (RFC
// 1982).
func (s *Server) serial() uint32 { return uint32(time.Now().Unix()) }

// sameQuestions tells whether two configurations leave the same questions to the
// same servers.
func sameQuestions(a, b *plan.DNS) bool {
	x, y := *a, *b
	for _, c := range []*plan.DNS{&x, &y} {
		c.Listen, c.Allowed, c.Register, c.TTL, c.Cache, c.Rate = nil, nil, false, 0, 0, 0
	}
	return reflect.DeepEqual(x, y)
}

// Close ends the server and waits until nothing of it runs any more.
func (s *Server) Close() {
	s.mu.Lock()
	s.end()
	s.close(func(netip.Addr) bool { return true })
	s.conns.close()
	s.mu.Unlock()
	s.tasks.Wait()
}

// now is the time as entries have it; it is never 0.
func (s *Server) now() int64 { return int64(time.Since(s.epoch)) + 1 }

// names is the generation of the dynamic names.
func (s *Server) names() uint64 {
	if s.o.Names == nil {
		return 0
	}
	return s.o.Names.Generation()
}

// warn tells the administrator something once.
func (s *Server) warn(message string) {
	if _, told := s.warned.LoadOrStore(message, true); told {
		return
	}
	if s.o.Warn != nil {
		s.o.Warn(message)
		return
	}
	s.o.Log.Warn(message)
}
