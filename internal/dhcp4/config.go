package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// config is a plan.DHCP with its lookups. It is never changed once made, so the
// server swaps it while requests are under way.
type config struct {
	scopes  []*scope
	perPort int
	rate    int
	servers map[netip.Addr]bool
}

// scope is one subnet with its lookups.
type scope struct {
	plan.Scope
	broadcast netip.Addr
	excluded  map[netip.Addr]bool
	relays    map[netip.Addr]bool
	reserved  map[netip.Addr]*reservation
	byMAC     map[spec.MAC]*reservation
	byID      map[string]*reservation
	byName    map[string]*reservation
	fixed     fixed
}

// reservation is an address kept for one guest, with the options that it gets.
type reservation struct {
	plan.Reservation
	label   string        // host name, its first label in lower case
	options []plan.Option // the scope's, replaced by its own of the same code
}

// fixed are options that are the same in all answers of a scope, encoded.
type fixed struct{ server, mask string }

func compile(d *plan.DHCP) *config {
	if d == nil {
		return nil
	}
	c := &config{perPort: d.PerPort, rate: d.Rate, servers: map[netip.Addr]bool{}}
	for _, s := range d.Scopes {
		if s.Prefix.Addr().Is4() && s.Server.Is4() {
			c.scopes = append(c.scopes, compileScope(s))
			c.servers[s.Server] = true
		}
	}
	return c
}

func compileScope(s plan.Scope) *scope {
	c := &scope{
		Scope: s, broadcast: lastAddr(s.Prefix), excluded: setOf(s.Excluded), relays: setOf(s.Relays),
		reserved: map[netip.Addr]*reservation{}, byMAC: map[spec.MAC]*reservation{},
		byID: map[string]*reservation{}, byName: map[string]*reservation{},
	}
	c.excluded[s.Server] = true
	if s.Prefix.Bits() < 31 { // RFC 3021: a /31 has neither
		c.excluded[c.broadcast] = true
		c.excluded[s.Prefix.Masked().Addr()] = true
	}
	mask := ^uint32(0) << (32 - s.Prefix.Bits())
	c.fixed = fixed{
		server: string(s.Server.AsSlice()),
		mask:   string(binary.BigEndian.AppendUint32(nil, mask)),
	}
	for _, r := range s.Reservations {
		c.reserve(r)
	}
	return c
}

func (s *scope) reserve(p plan.Reservation) {
	r := &reservation{Reservation: p, label: cleanHostname(p.Name), options: override(s.Options, p.Options)}
	s.reserved[p.Addr] = r
	if !p.MAC.IsZero() {
		s.byMAC[p.MAC] = r
	}
	if p.ClientID != "" {
		s.byID[p.ClientID] = r
	}
	if p.ByName && r.label != "" {
		s.byName[r.label] = r
	}
}

// override returns a scope's options with some of them replaced.
func override(scope, own []plan.Option) []plan.Option {
	if len(own) == 0 {
		return scope
	}
	list := slices.DeleteFunc(slices.Clone(scope), func(o plan.Option) bool {
		return slices.ContainsFunc(own, func(n plan.Option) bool { return n.Code == o.Code })
	})
	list = append(list, own...)
	return slices.DeleteFunc(list, func(o plan.Option) bool { return o.Data == "" }) // this guest does not get it
}

func setOf(list []netip.Addr) map[netip.Addr]bool {
	m := make(map[netip.Addr]bool, len(list)+3)
	for _, a := range list {
		m[a] = true
	}
	return m
}

// lastAddr is the last address of a prefix, the broadcast address of a subnet.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	n := binary.BigEndian.Uint32(b[:]) | uint32(uint64(1)<<(32-p.Bits())-1)
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// containing finds the scope of an address, nil when it has none.
func (c *config) containing(a netip.Addr) *scope {
	for _, s := range c.scopes {
		if a.IsValid() && s.Prefix.Contains(a) {
			return s
		}
	}
	return nil
}

// reservationOf finds what is kept for a client: by MAC before client id before
// name.
func (s *scope) reservationOf(q *query) *reservation {
	if r := s.byMAC[q.chaddr]; r != nil {
		return r
	}
	if r := s.byID[q.clientID]; r != nil && q.clientID != "" {
		return r
	}
	return s.byName[q.hostname]
}

// dynamic reports whether anybody may get the address: it is in a range, and
// neither excluded nor reserved.
func (s *scope) dynamic(a netip.Addr) bool { return s.rangeOf(a) != nil && s.open(a) }

// open is dynamic for an address that is in a range already.
func (s *scope) open(a netip.Addr) bool { return !s.excluded[a] && s.reserved[a] == nil }

// rangeOf finds the range of an address. Ranges are sorted and do not overlap.
func (s *scope) rangeOf(a netip.Addr) *plan.Range {
	i, found := slices.BinarySearchFunc(s.Ranges, a, func(r plan.Range, a netip.Addr) int {
		switch {
		case r.To.Less(a):
			return -1
		case a.Less(r.From):
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &s.Ranges[i]
}

// size is the number of addresses that are given dynamically.
func (s *scope) size() uint64 {
	var n uint64
	for _, r := range s.Ranges {
		from, to := r.From.As4(), r.To.As4()
		n += uint64(binary.BigEndian.Uint32(to[:])) - uint64(binary.BigEndian.Uint32(from[:])) + 1
	}
	for a := range s.excluded {
		n -= one(s.rangeOf(a) != nil)
	}
	for a := range s.reserved {
		n -= one(s.rangeOf(a) != nil && !s.excluded[a])
	}
	return n
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}

// trustedRelay reports whether a relay's clients are free of the port's limit.
func (s *scope) trustedRelay(q *query) bool { return q.giaddr.IsValid() && s.relays[q.giaddr] }

// home is the scope of a client by where its message came from: nil, true for
// one on the network itself, which may be in any scope; nil, false for a relay
// that is in none.
func (c *config) home(q *query) (s *scope, direct bool) {
	if !q.giaddr.IsValid() {
		return nil, true
	}
	if s := c.containing(q.link); s != nil && s.relays[q.giaddr] {
		return s, false
	}
	return c.containing(q.giaddr), false
}
