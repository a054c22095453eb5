package socket

import (
	"encoding/binary"
	"net/netip"
)

// sum adds the 16-bit words of b to a partial sum (RFC 1071), four bytes at a
// time: carries are folded in at the end. It cannot overflow below 16 GiB.
func sum(partial uint64, b []byte) uint64 {
	for ; len(b) >= 4; b = b[4:] {
		partial += uint64(binary.BigEndian.Uint32(b))
	}
	if len(b) >= 2 {
		partial += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		partial += uint64(b[0]) << 8
	}
	return partial
}

// checksum folds a sum and complements it. Over data that holds its own right
// checksum it is 0.
func checksum(partial uint64) uint16 {
	for partial>>16 != 0 {
		partial = partial&0xffff + partial>>16
	}
	return ^uint16(partial)
}

// pseudoHeader sums what the checksum of UDP and ICMPv6 covers besides the
// message (RFC 768, RFC 8200 section 8.1).
func pseudoHeader(from, to netip.Addr, proto uint8, length int) uint64 {
	s := uint64(proto) + uint64(length)
	if from.Is4() {
		f, t := from.As4(), to.As4()
		return sum(sum(s, f[:]), t[:])
	}
	f, t := from.As16(), to.As16()
	return sum(sum(s, f[:]), t[:])
}
