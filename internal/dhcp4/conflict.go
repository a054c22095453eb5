package dhcp4

import (
	"cmp"
	"fmt"
	"net/netip"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// ARP takes the answer to a probe, from whatever goroutine: who has this Ethernet
// address says to have the IP address.
func (s *Server) ARP(mac spec.MAC, addr netip.Addr) {
	c := s.config.Load()
	if c == nil || !s.pool.asked(addr) {
		return
	}
	sc := c.containing(addr)
	l, known := s.table.At(addr)
	if sc == nil || known && !l.State.Ended() {
		return // given meanwhile, or in quarantine already
	}
	if r := sc.reserved[addr]; r != nil {
		s.reservedInUse(r, mac)
		return
	}
	if s.pool.mine(addr, mac) {
		return
	}
	s.conflict(mac, addr, known && l.MAC == mac)
}

// reservedInUse tells of a stranger on a reserved address. The address stays
// with its guest: it is the stranger who has to go.
func (s *Server) reservedInUse(r *reservation, mac spec.MAC) {
	if mac != r.MAC && !r.MAC.IsZero() {
		s.counts.add(conflicts)
		s.warn(note{"reserved " + r.Addr.String(), fmt.Sprintf("%s is reserved for %s, but %s uses it", r.Addr, cmp.Or(r.Name, r.MAC.String()), mac)})
	}
}

// conflict takes an address out of use that somebody has without a lease; from who
// had one, and did not hear that it ended, it is only kept. One who claims too many
// is not believed: it would be the end of the pool.
func (s *Server) conflict(mac spec.MAC, addr netip.Addr, had bool) {
	s.counts.add(conflicts)
	who := cmp.Or(s.o.PortOf(mac), "a port that is not known") // all of those together: a MAC is easily made up
	switch {
	case !s.pool.believe(who):
		s.warn(note{"claims " + who, fmt.Sprintf("%s answers for more than %d addresses that nobody was given: its answers do not count", who, mostClaims)})
		s.pool.settle(addr, true)
		return
	case had:
		s.table.Keep(addr, lease.Quarantine)
	default:
		s.warn(note{"conflict " + addr.String(), fmt.Sprintf("%s uses %s without a lease: it is not given for %s", mac, addr, lease.Quarantine)})
		s.table.Decline(lease.Client{}, addr, lease.Quarantine, s.written)
	}
	s.pool.settle(addr, false)
}
