package plan

import (
	"net/netip"
	"slices"
)

// endIndex finds the end behind which an address is, in as many steps as there are
// lengths of prefixes: there are as many connections as networks, or more.
type endIndex struct {
	ends map[prefixIn]*end
	bits map[string][]int // lengths of prefixes by namespace, the longest first
}

// prefixIn is a prefix of a namespace.
type prefixIn struct {
	ns string
	netip.Prefix
}

func newEndIndex(order []*end) endIndex {
	x := endIndex{map[prefixIn]*end{}, map[string][]int{}}
	for _, e := range order {
		for _, p := range slices.Concat(e.prefixes(), e.back) {
			at := prefixIn{e.ns, p.Masked()}
			if x.ends[at] == nil {
				x.ends[at] = e
			}
			if !slices.Contains(x.bits[e.ns], p.Bits()) {
				x.bits[e.ns] = append(x.bits[e.ns], p.Bits())
			}
		}
	}
	for _, lengths := range x.bits {
		slices.SortFunc(lengths, func(a, b int) int { return b - a })
	}
	return x
}

// of is the end with the longest prefix that holds an address, nil for the outside.
func (x endIndex) of(ns string, a netip.Addr) *end {
	for _, bits := range x.bits[ns] {
		if p, err := a.Prefix(bits); err == nil {
			if e := x.ends[prefixIn{ns, p}]; e != nil {
				return e
			}
		}
	}
	return nil
}
