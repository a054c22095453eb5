package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"kvmnet/internal/hostname"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// config is a plan.DHCP with its lookups. It is never changed once made, so the
// server swaps it while requests are under way.
type config struct {
	scopes  []*scope
	near    []*scope // those of the network's own link, not behind a router
	perPort int
	rate    int
	servers map[netip.Addr]bool
	names   map[string]bool // that are reserved
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
	c := &config{perPort: d.PerPort, rate: d.Rate, servers: map[netip.Addr]bool{}, names: map[string]bool{}}
	for _, s := range d.Scopes {
		if s.Prefix.Addr().Is4() && s.Server.Is4() {
			c.scopes = append(c.scopes, compileScope(s))
			if !s.Far {
				c.near = append(c.near, c.scopes[len(c.scopes)-1])
			}
			c.servers[s.Server] = true
			for _, r := range s.Reservations {
				c.names[hostname.Clean(r.Name)] = true
			}
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
	r := &reservation{Reservation: p, label: hostname.Clean(p.Name), options: override(s.Options, p.Options)}
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

// sender is whose requests are counted together: a guest's, whatever addresses it
// writes into them, or those of one client of a trusted relay agent.
func (c *config) sender(q *query) spec.MAC {
	if home, _ := c.home(q); home != nil && home.trusts(q) {
		return q.chaddr
	}
	return q.frame
}

// hears reports whether a message to that address may be for us, when own knows the
// host's addresses. What guests send to servers elsewhere passes the same socket on
// its way through the host.
func (c *config) hears(to netip.Addr, own func(netip.Addr) bool) bool {
	return to == everybody || c.servers[to] || own(to) ||
		slices.ContainsFunc(c.scopes, func(s *scope) bool { return s.broadcast == to })
}

// home is the scope of a client by where its message came from: nil, true for
// one on the network itself, which may be in any near scope; nil, false for a relay
// that is in none. Who renews an address from behind a router does so without the
// relay agent (RFC 2131 section 4.3.2).
func (c *config) home(q *query) (s *scope, direct bool) {
	if !q.giaddr.IsValid() {
		if s := c.containing(q.ciaddr); s != nil && s.Far {
			return s, true
		}
		return nil, true
	}
	if s := c.containing(q.link); s != nil && s.trusts(q) {
		return s, false
	}
	return c.containing(q.giaddr), false
}
