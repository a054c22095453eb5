package dhcp6

import (
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/pace"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// Ports of DHCPv6 (RFC 8415 section 7.2).
const (
	clientPort = 546
	serverPort = 547 // also of relay agents
)

// Link carries answers to the network. Send must not block.
type Link interface {
	Send(socket.Packet) error
}

// Options are what a Server needs.
type Options struct {
	Table  *lease.Table          // of the network
	Link   Link                  // where answers go
	PortOf func(spec.MAC) string // the port that an Ethernet address is behind, "" = not known; nil = never known
	Source func() netip.Addr     // link-local address of the bridge
	Own    func(netip.Addr) bool // whether an address is one of the host's; nil = the gateways only

	// Permit has then called once the client may use an address that it is about to
	// have; nil = it may at once.
	Permit func(c lease.Client, a netip.Addr, then func())

	DUID []byte            // of this server: the same for the life of the host
	Log  *slog.Logger      // nil = none
	Warn func(text string) // told what the operator should know; nil = nobody
}

// Server serves DHCPv6 on one network. Its methods may be called from any
// goroutine.
type Server struct {
	o      Options
	table  table
	duid   string
	log    *slog.Logger
	config atomic.Pointer[config]
	closed atomic.Bool
	rate   pace.Limiter[spec.MAC]
	told   pace.Quiet
	count  counters
}

// New makes a server that answers nothing until Set.
func New(o Options) *Server { return newServer(o, o.Table) }

func newServer(o Options, t table) *Server {
	s := &Server{o: o, table: t, duid: string(o.DUID), log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.o.PortOf == nil {
		s.o.PortOf = func(spec.MAC) string { return "" }
	}
	if s.o.Own == nil {
		s.o.Own = func(netip.Addr) bool { return false }
	}
	if s.o.Warn == nil {
		s.o.Warn = func(string) {}
	}
	return s
}

// Set says what is served from now on; nil is nothing. Requests that are being
// answered end under what was served before. d must not change afterwards.
func (s *Server) Set(d *plan.DHCP) {
	if d == nil {
		s.config.Store(nil)
		return
	}
	s.config.Store(newConfig(d))
}

// Close ends the server: no answer leaves any more.
func (s *Server) Close() { s.closed.Store(true) }

// Handle answers one packet from a client or relay agent. It does not block: an
// answer that stands for a change of the lease book leaves later, from the book's
// goroutine, when the change is on disk.
func (s *Server) Handle(p socket.Packet) {
	c := s.config.Load()
	if c == nil || s.closed.Load() {
		return
	}
	r, err := parse(p.Payload)
	if err != nil {
		s.count.malformed.Add(1)
		return
	}
	s.count.received(r.kind)
	l := c.link(linkAddress(r.relays))
	r.identify(p, l)
	switch {
	case !c.hears(p.To.Addr(), s.o.Own):
		s.count.foreign.Add(1)
	case !s.rate.Allow(sender(&r, p), c.plan.Rate, time.Now()):
		s.count.limited.Add(1)
	case !r.locate(p, s.o.PortOf):
		s.count.forged.Add(1)
	default:
		s.answer(p, r, c, l)
	}
}

// sender is whose requests are counted together.
func sender(r *request, p socket.Packet) spec.MAC {
	if r.trusted {
		return r.mac
	}
	return p.MAC
}

func (s *Server) answer(p socket.Packet, r request, c *config, l *link) {
	book := begin(s.table)
	a := reply(r, c, l, s.duid, book)
	for _, w := range a.warnings {
		if s.told.Allow(w.key, time.Now()) {
			s.o.Warn(w.text)
		}
	}
	if a.verdict != answered {
		s.count.unanswered(a.verdict)
		return
	}
	out := s.address(p, r)
	out.Payload = wrap(a.message, r.relays).ToBytes()
	book.commit(func(err error) {
		if err != nil {
			s.count.unsaved.Add(1)
			s.log.Debug("DHCPv6 answer withheld: the lease is not on disk", "client", r.mac, "error", err)
			return
		}
		s.permit(book.given, func() { s.send(out, a.message.MessageType) })
	})
}

// permit has then called once all that was given may be used.
func (s *Server) permit(given []grant, then func()) {
	if len(given) == 0 || s.o.Permit == nil {
		then()
		return
	}
	s.o.Permit(given[0].client, given[0].addr, func() { s.permit(given[1:], then) })
}

// address says where the answer goes: to the client's address, or to the relay
// agent that is nearest to us.
func (s *Server) address(p socket.Packet, r request) socket.Packet {
	port := uint16(clientPort)
	if len(r.relays) > 0 {
		port = serverPort
	}
	return socket.Packet{
		MAC:  p.MAC,
		From: netip.AddrPortFrom(s.o.Source(), serverPort),
		To:   netip.AddrPortFrom(p.From.Addr(), port),
	}
}
