package lease

import (
	"encoding/binary"
	"net/netip"
)

// block is the upper half of an address: a /64, or all of IPv4.
type block struct {
	v6   bool
	high uint64
}

// split makes two numbers of an address: its block, and its place in the block.
func split(a netip.Addr) (block, uint64) {
	if a.Is4() {
		b := a.As4()
		return block{}, uint64(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return block{true, binary.BigEndian.Uint64(b[:8])}, binary.BigEndian.Uint64(b[8:])
}

// join is the inverse of split.
func join(b block, low uint64) netip.Addr {
	if !b.v6 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(low))
		return netip.AddrFrom4(a)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], b.high)
	binary.BigEndian.PutUint64(a[8:], low)
	return netip.AddrFrom16(a)
}

// used are the addresses that are known: leased, declined, remembered or held.
type used map[block]*set

func (u used) put(a netip.Addr, known bool) {
	b, low := split(a)
	if u[b] == nil {
		u[b] = &set{missing: true}
	}
	u[b].put(low, known)
	// A set without words is one that is not there.
	if len(u[b].words[0]) == 0 {
		delete(u, b)
	}
}

// next is the lowest address of from to to that is not known. A /64 is never
// full, so the search meets two blocks at most.
func (u used) next(from, to netip.Addr) (netip.Addr, bool) {
	b, low := split(from)
	last, lastLow := split(to)
	for ; b.high <= last.high; b, low = (block{b.v6, b.high + 1}), 0 {
		next, found := low, true
		if s := u[b]; s != nil {
			next, found = s.next(low)
		}
		if found {
			return join(b, next), b != last || next <= lastLow
		}
		if b == last {
			break
		}
	}
	return netip.Addr{}, false
}
