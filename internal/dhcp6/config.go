package dhcp6

import (
	"net/netip"
	"slices"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// config is a plan.DHCP with what is looked up for every request.
type config struct {
	plan  *plan.DHCP
	whole link   // the network's own link: all scopes that are not behind a router
	links []link // those behind relay agents: one scope each
}

// scope is a plan.Scope with its reservations by who they are for.
type scope struct {
	*plan.Scope
	byMAC    map[spec.MAC]*plan.Reservation
	byDUID   map[string]*plan.Reservation
	byName   map[string]*plan.Reservation // only for who says the name
	names    map[string]*plan.Reservation // all of them
	reserved map[netip.Addr]*plan.Reservation
	excluded map[netip.Addr]bool
}

// link is what clients of one link may have.
type link struct {
	scopes []*scope
	ranges []plan.Range // of all scopes, sorted
}

func newConfig(d *plan.DHCP) *config {
	c := &config{plan: d}
	for i := range d.Scopes {
		s := newScope(&d.Scopes[i])
		if !s.Far {
			c.whole.scopes = append(c.whole.scopes, s)
			c.whole.ranges = append(c.whole.ranges, s.Ranges...)
		}
		c.links = append(c.links, link{[]*scope{s}, s.Ranges})
	}
	slices.SortFunc(c.whole.ranges, func(a, b plan.Range) int { return a.From.Compare(b.From) })
	return c
}

func newScope(p *plan.Scope) *scope {
	s := &scope{p, map[spec.MAC]*plan.Reservation{}, map[string]*plan.Reservation{}, map[string]*plan.Reservation{},
		map[string]*plan.Reservation{}, map[netip.Addr]*plan.Reservation{}, map[netip.Addr]bool{}}
	for i := range p.Reservations {
		r := &p.Reservations[i]
		s.reserved[r.Addr] = r
		s.names[r.Name] = r
		if !r.MAC.IsZero() {
			s.byMAC[r.MAC] = r
		}
		if r.ClientID != "" {
			s.byDUID[r.ClientID] = r
		}
		if r.ByName {
			s.byName[r.Name] = r
		}
	}
	for _, a := range p.Excluded {
		s.excluded[a] = true
	}
	return s
}

// reservation is what the scope keeps for the client, nil for nothing: by its
// Ethernet address first, since a clone has the DUID and name of its model.
func (s *scope) reservation(r *request) *plan.Reservation {
	if v := s.byMAC[r.mac]; v != nil {
		return v
	}
	if v := s.byDUID[r.duid]; v != nil && r.duid != "" {
		return v
	}
	if r.name == "" {
		return nil
	}
	return s.byName[r.name]
}

// link returns the link of an address that a relay agent told, or the network's
// own for the zero Addr. A link nobody knows has no scopes.
func (c *config) link(a netip.Addr) *link {
	if !a.IsValid() {
		return &c.whole
	}
	for i := range c.links {
		if c.links[i].scope(a) != nil {
			return &c.links[i]
		}
	}
	return &link{}
}

// scope returns the scope that an address lies in, nil for none: then it is not
// appropriate for the link.
func (l *link) scope(a netip.Addr) *scope {
	for _, s := range l.scopes {
		if s.Prefix.Contains(a) {
			return s
		}
	}
	return nil
}

// hears reports whether a message to that address may be for us, when own knows the
// host's addresses. What guests send to servers elsewhere passes the same socket on
// its way through the host; what is link-local was sent to us.
func (c *config) hears(to netip.Addr, own func(netip.Addr) bool) bool {
	return to.IsMulticast() || to.IsLinkLocalUnicast() || own(to) ||
		slices.ContainsFunc(c.links, func(l link) bool { return l.scopes[0].Server == to })
}

// trusts reports whether a relay agent may speak for any client of the link.
func (l *link) trusts(agent netip.Addr) bool {
	return slices.ContainsFunc(l.scopes, func(s *scope) bool { return slices.Contains(s.Relays, agent.WithZone("")) })
}

// free reports whether an address may be given dynamically.
func (l *link) free(a netip.Addr) bool {
	s := l.scope(a)
	return s != nil && s.reserved[a] == nil && !s.excluded[a]
}

// inRange returns the range that an address lies in.
func (l *link) inRange(a netip.Addr) (plan.Range, bool) {
	for _, r := range l.ranges {
		if !a.Less(r.From) && !r.To.Less(a) {
			return r, true
		}
	}
	return plan.Range{}, false
}

// life is how long a lease of the address lasts: as the reservation, the range or
// else the scope says.
func (l *link) life(a netip.Addr, v *plan.Reservation) spec.Seconds {
	if v != nil && v.Addr == a && v.Lease != 0 {
		return v.Lease
	}
	if r, ok := l.inRange(a); ok && r.Lease != 0 {
		return r.Lease
	}
	if s := l.scope(a); s != nil {
		return s.Lease
	}
	return 0
}
