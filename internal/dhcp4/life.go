package dhcp4

import (
	"encoding/binary"
	"net/netip"

	"kvmnet/internal/spec"
)

// life is how long a client may keep an address: what is configured for the
// reservation, else the range, else the scope, and no longer than it asks for.
func (s *scope) life(q *query, r *reservation, a netip.Addr) spec.Seconds {
	life := s.Lease
	if in := s.rangeOf(a); in != nil && in.Lease != 0 {
		life = in.Lease
	}
	if r != nil && r.Addr == a && r.Lease != 0 {
		life = r.Lease
	}
	if q.life == 0 || q.life == infinite {
		return life
	}
	if asked := spec.Seconds(q.life); life == spec.Infinite || asked < life {
		return asked
	}
	return life
}

// infinite is a lease time without end on the wire (RFC 2131 section 3.3).
const infinite = 1<<32 - 1

// wireSeconds encodes a lease time.
func wireSeconds(s spec.Seconds) string {
	n := uint32(infinite)
	if s != spec.Infinite {
		n = uint32(min(s, infinite-1))
	}
	return string(binary.BigEndian.AppendUint32(nil, n))
}

// fraction is a part of a lease time, which of an infinite one is infinite.
func fraction(s spec.Seconds, num, den spec.Seconds) spec.Seconds {
	if s == spec.Infinite {
		return s
	}
	return s * num / den
}
