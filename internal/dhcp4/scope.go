package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"kvmnet/internal/plan"
)

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

// trusts reports whether the message comes from a trusted relay agent. What it says
// of itself is not enough: the sender's address is what a port's guard checks.
func (s *scope) trusts(q *query) bool {
	there := s.Far && s.Prefix.Contains(q.giaddr) // the agent's other side
	return s.relays[q.from] && (there || s.relays[q.giaddr])
}
