package dns

import (
	"net/netip"
	"slices"

	"github.com/miekg/dns"
)

// client is who asks.
type client struct {
	from netip.AddrPort
	host bool // the host itself
	free bool // of the limit of guests
}

// admits tells whether a client may ask: the host itself, and guests with an
// address of theirs. Of a datagram it matters by which interface it came, for
// Linux takes one for any of its addresses from any interface.
//
// What the host asks comes over lo, but the kernel tells the interface that has
// the address (ip_route_output_key_hash_rcu, ipv6_rcv). It drops what guests
// send from an address of the host over IPv4 (fib_validate_source), not over
// IPv6, so that such a client is limited like a guest.
func (s *Server) admits(st *state, from netip.AddrPort, index int, stream bool) (client, bool) {
	a := from.Addr().Unmap().WithZone("")
	c := client{from: from, host: s.isLocal(a) && (stream || index == loIndex || index == st.bridge)}
	c.free = c.host && (stream || index == loIndex || a.Is4())
	if c.host {
		return c, true
	}
	if !stream && index != st.bridge {
		return c, false
	}
	for _, p := range st.plan.Allowed {
		if p.Contains(a) {
			return c, true
		}
	}
	return c, false
}

// loIndex is the index of lo, the first interface of every namespace.
const loIndex = 1

func (s *Server) isLocal(a netip.Addr) bool { return a.IsLoopback() || s.o.Local(a) }

// request is a message that is being answered. The same one serves message after
// message.
type request struct {
	query
	st    *state
	who   client
	out   []byte              // empty, with room for the answer
	later func() func([]byte) // makes what sends the answer when it comes later

	now   int64
	names uint64 // generation of the dynamic names
}

// handle answers a message. It returns nothing when there is no answer, or when
// the query waits for one.
//
//  1. What is no query gets what it deserves.
//  2. Our own answers are looked for, then those of upstream servers.
//  3. The zone decides; its answer is kept and sent.
//  4. Or else upstream servers are asked.
func (s *Server) handle(r *request, b []byte, stream bool) (answer []byte, waits bool) {
	s.tally.queries.Add(1)
	r.now = s.now()
	if !r.who.free && !s.limit.allow(r.who.from.Addr(), r.st.plan.Rate, r.now) {
		s.tally.limited.Add(1)
		return nil, false
	}
	if code := r.read(b, stream); code != 0 {
		return s.reject(r, code), false
	}
	r.names = s.names()
	if e := r.st.shelf.find(r.own(), r.now, r.names); e != nil {
		s.tally.own.Add(1)
		return r.write(r.out, e, r.now), false
	}
	s.followUpstream(r.st)
	if e := r.st.forward.shelf.find(r.full(), r.now, r.names); e != nil {
		s.tally.cached.Add(1)
		return r.write(r.out, e, r.now), false
	}
	return s.decide(r)
}

func (s *Server) reject(r *request, code int) []byte {
	if code == silence || code == dns.RcodeFormatError {
		s.tally.malformed.Add(1)
	}
	if code == silence {
		return nil
	}
	return r.fail(r.out, code)
}

// followUpstream forgets what the resolvers of the host said when they are other
// ones now.
func (s *Server) followUpstream(st *state) {
	if !st.zone.forwarders.host || s.o.Upstream == nil {
		return
	}
	if v := s.o.Upstream.Version(); st.forward.upstream.Swap(v) != v {
		st.forward.shelf.flush()
	}
}

// decide answers a question that is new.
func (s *Server) decide(r *request) ([]byte, bool) {
	name, ok := nameOf(r.lower())
	if !ok {
		return s.reject(r, dns.RcodeFormatError), false
	}
	re := r.st.zone.answer(s.o.Names, name, r.kind)
	if re.ask == nil {
		return s.answerOwn(r, re), false
	}
	key, ok := keyOf(re.target, r.kind, r.traits())
	if !ok {
		return s.failed(&r.query, r.out), false
	}
	w := waiter{from: r.who.from, host: r.who.host, chain: re.answer, names: r.names}
	if len(w.chain) > 0 {
		if e := r.st.forward.shelf.find(key, r.now, r.names); e != nil {
			s.tally.cached.Add(1)
			return s.finish(&r.query, w.chain, r.out, e, r.now), false
		}
	}
	w.query = r.query
	w.query.name = slices.Clone(r.name)
	w.send = r.later()
	return s.depart(r, key, re, w)
}

func (s *Server) failed(q *query, out []byte) []byte {
	s.tally.failed.Add(1)
	return q.fail(out, dns.RcodeServerFailure)
}

// answerOwn packs an answer of our own and keeps it, unless it may soon be another.
func (s *Server) answerOwn(r *request, re reply) []byte {
	e, ok := packOwn(re, r.full())
	if !ok || re.code == dns.RcodeServerFailure {
		return s.failed(&r.query, r.out)
	}
	s.tally.own.Add(1)
	e.key, e.names, e.bound = string(r.own()), r.names, true
	if !re.passing {
		r.st.shelf.keep(e)
	}
	return r.write(r.out, e, r.now)
}

// depart lets a query wait for upstream servers, and asks them when nobody does
// yet.
func (s *Server) depart(r *request, key []byte, re reply, w waiter) ([]byte, bool) {
	servers := s.servers(r.st, re.ask)
	if w.host && re.ask.host && r.st.zone.isOurs(re.target) && s.allLocal(re.ask, servers) { // they would ask us
		return s.denyLoop(r), false
	}
	f, what := r.st.forward.join(key, re.target, re.ask, w)
	switch what {
	case started:
		s.tally.forwarded.Add(1)
		st := r.st
		s.tasks.Go(func() { s.fly(st, f, servers) })
	case joined:
		s.tally.joined.Add(1)
	case looped:
		return s.loop(r, re.target), false
	case full:
		s.tally.full.Add(1)
		return s.failed(&r.query, r.out), false
	}
	return nil, what != again
}

// loop answers our own question. A resolver of the host that asks us for a name
// of our domain takes us for its authority, rightly: then it does not exist.
// Otherwise it and we send questions in a circle.
func (s *Server) loop(r *request, name string) []byte {
	if r.st.zone.isOurs(name) {
		return s.denyLoop(r)
	}
	s.tally.loops.Add(1)
	s.warn("a resolver that is asked sends our own questions back to us; name forwarders that do not ask this network")
	return r.fail(r.out, dns.RcodeRefused)
}

// denyLoop says that a name of our domain does not exist, and keeps nothing of it:
// who else asks may be told otherwise.
func (s *Server) denyLoop(r *request) []byte {
	var re reply
	r.st.zone.deny(&re, r.st.zone.domain, false)
	e, ok := packOwn(re, r.full())
	if !ok {
		return s.failed(&r.query, r.out)
	}
	s.tally.own.Add(1)
	return r.write(r.out, e, s.now())
}
