package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// servers are those of a route in the order to ask them: the one that answered
// last comes first. Our own addresses are left out, and of the host's resolvers
// those of other networks: they answer whatever the host asks.
func (s *Server) servers(st *state, to *route) []netip.AddrPort {
	list := to.servers
	if to.host && s.o.Upstream != nil {
		list = s.o.Upstream.Servers()
	}
	out := make([]netip.AddrPort, 0, len(list))
	for _, server := range list {
		switch a := server.Addr(); {
		case server.Port() == 53 && s.isHere(to) && slices.Contains(st.plan.Listen, a):
			s.warn(fmt.Sprintf("%s is listed as a resolver of its own network; it is not asked", a))
		case to.host && s.isPrivateGateway(st, a):
			s.warn(fmt.Sprintf("%s, a resolver of the host, is the gateway of another network, whose names are private; it is not asked", a))
		default:
			out = append(out, server)
		}
	}
	if last := to.last.Load(); last != nil {
		if i := slices.Index(out, *last); i > 0 {
			copy(out[1:i+1], out[:i])
			out[0] = *last
		}
	}
	return out
}

// fly asks upstream servers and answers all who wait.
func (s *Server) fly(st *state, f *flight, servers []netip.AddrPort) {
	e := s.fetch(st, f, servers)
	now := s.now()
	for _, w := range st.forward.land(f) {
		w.send(s.finish(&w.query, w.chain, nil, e, now))
	}
}

// fetch asks upstream servers and keeps what they say. It returns nil when they
// say nothing of use.
func (s *Server) fetch(st *state, f *flight, servers []netip.AddrPort) *entry {
	if len(servers) == 0 {
		s.warn("the host has no resolver that could be asked for names from elsewhere: name some with forwarders, or in resolv.conf")
		return nil
	}
	x := exchange{
		dial:     func(a netip.AddrPort, stream bool, by time.Time) (conn, error) { return s.connect(f.to, a, stream, by) },
		servers:  servers,
		question: question(f),
		sent:     func(a netip.AddrPort) { st.forward.sentTo(f, f.to.joined == nil && s.isLocalTo(f.to, a.Addr())) },
	}
	m, from, err := x.run(s.ctx)
	if err != nil {
		s.o.Log.Debug("forward DNS query", "name", f.name, "error", err)
		return nil
	}
	if from.IsValid() {
		f.to.last.Store(&from)
	}
	st.zone.hide(m)
	e, life, ok := packForwarded(m, f.key)
	if !ok {
		return nil
	}
	e.made = s.now()
	if life > 0 {
		s.keep(st, f, e, life)
	}
	return e
}

// keep puts an answer on the shelf. A name that a lease may take ends with the
// generation it was asked in.
func (s *Server) keep(st *state, f *flight, e *entry, life uint32) {
	e.key, e.until = string(f.key), e.made+int64(life)*int64(time.Second)
	e.names = f.names
	e.bound = isPlain(f.name) || st.zone.isOurs(f.name)
	if f.key[len(f.key)-1]&(flagRD>>8) != 0 { // a server may know less when it is not to ask others
		st.forward.shelf.keep(e)
	}
}

// question makes the message for upstream servers: the flags are the client's,
// EDNS is ours.
func question(f *flight) *dns.Msg {
	kind, traits := uint16(f.key[len(f.key)-3])<<8|uint16(f.key[len(f.key)-2]), f.key[len(f.key)-1]
	m := &dns.Msg{Question: []dns.Question{{Name: f.name, Qtype: kind, Qclass: dns.ClassINET}}}
	m.RecursionDesired = traits&(flagRD>>8) != 0
	m.AuthenticatedData, m.CheckingDisabled = traits&flagAD != 0, traits&flagCD != 0
	return m.SetEdns0(udpSize, traits&traitDO != 0)
}

// finish answers a query with an answer from elsewhere, after the aliases that
// led there.
func (s *Server) finish(q *query, chain []dns.RR, out []byte, e *entry, now int64) []byte {
	if e == nil {
		return s.failed(q, out)
	}
	if len(chain) == 0 {
		return q.write(out, e, now)
	}
	wire := slices.Clone(e.wire)
	e.countDown(wire, now)
	m := &dns.Msg{}
	if m.Unpack(wire) != nil {
		return s.failed(q, out)
	}
	m.Answer = append(slices.Clone(chain), m.Answer...)
	m.Authoritative, m.AuthenticatedData = true, false
	whole, ok := pack(m, q.full())
	if !ok {
		return s.failed(q, out)
	}
	whole.ttls = nil
	return q.write(out, whole, now)
}
