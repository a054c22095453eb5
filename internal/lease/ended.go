package lease

import (
	"cmp"
	"iter"
	"net/netip"
	"slices"

	"kvmnet/internal/plan"
)

// line is leases that ended, in the order in which they did.
type line struct {
	order   set
	entries map[uint64]*entry // by place in the order
}

func newLine() *line { return &line{entries: map[uint64]*entry{}} }

func (l *line) put(e *entry, in bool) {
	l.order.put(e.seq, in)
	if in {
		l.entries[e.seq] = e
	} else {
		delete(l.entries, e.seq)
	}
}

// next is the first lease that ended at place seq or later, nil = there is none.
func (l *line) next(seq uint64) *entry {
	seq, _ = l.order.next(seq)
	return l.entries[seq]
}

// ended are the leases of a family that ended: all in one line, and those of
// every 256 addresses in one, so that the search for one in a full range does
// not meet those of all other ranges.
type ended struct {
	all   *line
	parts map[part]*line
}

// part is 256 addresses: a /24, or a /120.
type part struct {
	block block
	place uint64
}

func newEnded() ended { return ended{newLine(), map[part]*line{}} }

func partOf(a netip.Addr) part {
	b, low := split(a)
	return part{b, low >> 8}
}

func (p part) compare(other part) int {
	return cmp.Or(cmp.Compare(p.block.high, other.block.high), cmp.Compare(p.place, other.place))
}

func (n *ended) add(e *entry) {
	p := partOf(e.Addr)
	if n.parts[p] == nil {
		n.parts[p] = newLine()
	}
	n.parts[p].put(e, true)
	n.all.put(e, true)
}

func (n *ended) remove(e *entry) {
	p := partOf(e.Addr)
	n.parts[p].put(e, false)
	if len(n.parts[p].entries) == 0 {
		delete(n.parts, p)
	}
	n.all.put(e, false)
}

// near are the leases that ended in the parts that the ranges touch, in order:
// of the first of each part always the earliest.
func (n *ended) near(ranges []plan.Range) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		var heads []*entry
		for _, r := range ranges {
			for l := range n.touched(r) {
				heads = append(heads, l.next(0))
			}
		}
		for last := uint64(0); len(heads) > 0; {
			i := earliest(heads)
			e := heads[i]
			if heads[i] = n.parts[partOf(e.Addr)].next(e.seq + 1); heads[i] == nil {
				heads = slices.Delete(heads, i, i+1)
			}
			if e.seq == last { // two ranges touch the same part
				continue
			}
			if last = e.seq; !yield(e) {
				return
			}
		}
	}
}

func earliest(heads []*entry) int {
	first := 0
	for i, e := range heads {
		if e.seq < heads[first].seq {
			first = i
		}
	}
	return first
}

// touched are the parts with a lease that a range touches: those of the range one
// after the other, or, of a wide range, those that there are.
func (n *ended) touched(r plan.Range) iter.Seq[*line] {
	first, last := partOf(r.From), partOf(r.To)
	return func(yield func(*line) bool) {
		if first.block == last.block && last.place-first.place < uint64(len(n.parts)) {
			for p := first; p.place <= last.place; p.place++ {
				if l := n.parts[p]; l != nil && !yield(l) {
					return
				}
			}
			return
		}
		for p, l := range n.parts {
			if p.block.v6 == first.block.v6 && first.compare(p) <= 0 && p.compare(last) <= 0 && !yield(l) {
				return
			}
		}
	}
}
