package dhcp4

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/pace"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// Link carries what a server sends. Neither method may block, and Send must not
// keep the payload.
type Link interface {
	Send(socket.Packet) error
	Probe(netip.Addr) error // asks by ARP who has an address; answers come to Server.ARP
}

// Options are what a Server needs.
type Options struct {
	Table  *lease.Table
	Link   Link
	PortOf func(spec.MAC) string // the port an Ethernet address is behind, "" = not known; nil = of none
	Own    func(netip.Addr) bool // whether an address is one of the host's; nil = the gateways only

	// Permit has then called once the client may use an address that it is about to
	// have; nil = it may at once.
	Permit func(c lease.Client, a netip.Addr, then func())

	Log  *slog.Logger         // nil = none
	Warn func(message string) // what somebody should know, no more than once a minute each; nil = nobody
}

// table is what the server does with a lease.Table.
type table interface {
	Find(lease.Client) (lease.Lease, bool)
	At(netip.Addr) (lease.Lease, bool)
	Propose(lease.Client, lease.Want) (netip.Addr, error)
	Hold(lease.Client, netip.Addr, time.Duration) error
	Keep(netip.Addr, time.Duration) bool
	Bind(c lease.Client, a netip.Addr, life spec.Seconds, done func(error)) (lease.Lease, error)
	Release(c lease.Client, a netip.Addr, done func(error)) bool
	Decline(c lease.Client, a netip.Addr, quarantine time.Duration, done func(error))
}

// Server answers DHCPv4 on one network.
type Server struct {
	table  table
	o      Options
	config atomic.Pointer[config]
	counts counts
	rates  pace.Limiter[spec.MAC]
	notes  pace.Quiet
	pool   *prober
	closed atomic.Bool
	stop   sync.Once
}

// New makes a server that serves nothing until Set.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.PortOf == nil {
		o.PortOf = func(spec.MAC) string { return "" }
	}
	if o.Own == nil {
		o.Own = func(netip.Addr) bool { return false }
	}
	if o.Permit == nil {
		o.Permit = func(_ lease.Client, _ netip.Addr, then func()) { then() }
	}
	s := &Server{table: o.Table, o: o}
	s.pool = newProber(o.Table, o.Link, s.config.Load)
	return s
}

// Set changes what is served; nil serves nothing. Requests under way are
// finished by what was served before, and no lease is touched: a client whose
// address does not fit any more hears of it when it renews.
func (s *Server) Set(d *plan.DHCP) {
	s.config.Store(compile(d))
	if !s.closed.Load() {
		s.pool.refill()
	}
}

// Close stops timers. Offers that wait for a probe and acknowledgements that
// wait for the disk are not sent any more. A lease that is made stays.
func (s *Server) Close() {
	s.stop.Do(func() {
		s.closed.Store(true)
		s.config.Store(nil)
		s.pool.close()
	})
}

// Handle answers one datagram. It does not block; what must wait goes out later.
// Calls may not overlap.
func (s *Server) Handle(p socket.Packet) {
	s.counts.add(received)
	c := s.config.Load()
	if c == nil {
		s.counts.add(notServed)
		return
	}
	if !c.hears(p.To.Addr(), s.o.Own) {
		s.counts.add(otherServer)
		return
	}
	q, err := parse(p)
	if err != nil {
		s.counts.add(reasonOf(err))
		return
	}
	if !s.rates.Allow(c.sender(q), c.rate, time.Now()) {
		s.counts.add(rateLimited)
		return
	}
	s.counts.request(q.kind)
	s.process(c, q)
}

// reasonOf counts what parse did not take.
func reasonOf(err error) reason {
	switch {
	case errors.Is(err, errBOOTP):
		return bootp
	case errors.Is(err, errHardware):
		return hardware
	}
	return malformed
}

// process decides on a request and carries that out.
func (s *Server) process(c *config, q *query) {
	a := decide(q, c, sight{s})
	for _, n := range a.notes {
		s.warn(n)
	}
	switch {
	case a.kind == 0:
		s.counts.add(a.why)
	case a.kind == decline:
		s.table.Decline(a.client, a.addr, lease.Quarantine, s.written)
	case a.kind == release:
		s.table.Release(a.client, a.addr, s.written)
	case a.wait:
		s.later(c, q, a)
	default:
		s.finish(q, a)
	}
	if a.fresh && !q.giaddr.IsValid() {
		s.newcomer(a)
	}
}

// newcomer keeps the stock up, and looks whether somebody else is on a reserved
// address that nobody had so far. Its guest gets it in any case, so at once.
func (s *Server) newcomer(a answer) {
	if a.res != nil {
		s.pool.ask(a.addr)
		return
	}
	s.pool.taken(a.scope)
}

// later sends an answer when the address has been probed.
func (s *Server) later(c *config, q *query, a answer) {
	ok := s.pool.wait(a.addr, q.chaddr, func(clear bool) {
		switch {
		case s.closed.Load():
		case clear:
			s.finish(q, a)
		default:
			s.process(c, q) // somebody has that one: another
		}
	})
	if !ok {
		s.counts.add(busy)
	}
}

// finish sends an answer. An acknowledgement leaves when the lease is on disk,
// not before: a client must not use what a crash could make us forget.
func (s *Server) finish(q *query, a answer) {
	if !a.bind {
		s.send(q, a)
		return
	}
	_, err := s.table.Bind(a.client, a.addr, a.life, func(err error) {
		if s.written(err); err == nil {
			s.o.Permit(a.client, a.addr, func() { s.send(q, a) })
		}
	})
	switch {
	case err == nil:
	case errors.Is(err, lease.ErrTaken) && q.kind == request:
		s.send(q, answer{kind: nak, scope: a.scope, message: "the address is in use"})
	case errors.Is(err, lease.ErrTaken):
		s.counts.add(exhausted)
	default:
		s.written(err)
	}
}

// written notes that a lease could not be written.
func (s *Server) written(err error) {
	// An address that was given meanwhile is not declined: its client will.
	if err != nil && !errors.Is(err, lease.ErrTaken) && !s.closed.Load() {
		s.counts.add(notWritten)
		s.warn(note{"write", fmt.Sprintf("no address is given or extended while leases cannot be written: %v", err)})
	}
}

// buffers hold encoded answers until they are sent.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, mostMTU); return &b }}

func (s *Server) send(q *query, a answer) {
	if s.closed.Load() {
		return
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	p := route(q, a)
	*buf = compose(q, a).encode(*buf)
	p.Payload = *buf
	if err := s.o.Link.Send(p); err != nil {
		s.counts.add(notSent)
		s.o.Log.Debug("DHCPv4 answer not sent", "to", p.To, "mac", q.chaddr, "err", err)
		return
	}
	s.counts.answer(a.kind)
}

func (s *Server) warn(n note) {
	if s.notes.Allow(n.key, time.Now()) {
		s.o.Warn(n.text)
	}
}
