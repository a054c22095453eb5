package dhcp4

import (
	"fmt"
	"net/netip"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// quarantine is how long an address that somebody else uses is not given. It is
// what RFC 2131 asks clients to wait after a DECLINE, sixty times over.
const quarantine = 10 * time.Minute

// ARP takes the answer to a probe, from whatever goroutine: somebody with this
// Ethernet address has the IP address.
func (s *Server) ARP(mac spec.MAC, addr netip.Addr) {
	c := s.config.Load()
	if c == nil || !s.pool.asked(addr) {
		return
	}
	sc := c.containing(addr)
	if _, known := s.table.At(addr); sc == nil || known {
		return // given meanwhile, or in quarantine already
	}
	if r := sc.reserved[addr]; r != nil {
		s.reservedInUse(r, mac)
		return
	}
	if s.pool.mine(addr, mac) {
		return
	}
	s.conflict(mac, addr)
}

// reservedInUse tells of a stranger on a reserved address. The address stays
// with its guest: it is the stranger who has to go.
func (s *Server) reservedInUse(r *reservation, mac spec.MAC) {
	if mac != r.MAC && !r.MAC.IsZero() {
		s.counts.add(conflicts)
		s.warn(note{"reserved " + r.Addr.String(), fmt.Sprintf("%s is reserved for %s, but %s uses it", r.Addr, r.Name, mac)})
	}
}

// conflict takes an address out of use that somebody has without a lease. One
// who claims too many is not believed: it would be the end of the pool.
func (s *Server) conflict(mac spec.MAC, addr netip.Addr) {
	s.counts.add(conflicts)
	who := first(s.o.PortOf(mac), mac.String())
	if !s.pool.believe(who) {
		s.warn(note{"claims " + who, fmt.Sprintf("%s answers for more than %d addresses that nobody was given: its answers do not count", who, mostClaims)})
		s.pool.settle(addr, true)
		return
	}
	s.warn(note{"conflict " + addr.String(), fmt.Sprintf("%s uses %s without a lease: it is not given for %s", mac, addr, quarantine)})
	// The offer that waits for the probe holds the address.
	s.table.Decline(lease.Client{MAC: s.pool.waiter(addr)}, addr, quarantine, s.written)
	s.pool.settle(addr, false)
}
