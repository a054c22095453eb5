package plan

import (
	"fmt"
	"strings"

	"kvmnet/internal/spec"
)

// Shape limits what a link sends. It is the link's root qdisc, a token bucket; a
// second one holds the rate down to the peak while the first empties.
type Shape struct {
	Mark
	NS, Link string
	Rate     spec.Rate
	Peak     spec.Rate // 0 = as fast as it comes
	Burst    int64     // bytes that may be sent at once; of a wanted one 0 = see BurstAt
	MTU      int       // observed only: of the link
}

// newShape is the limit that people wrote. A peak that is no higher than the rate
// leaves no room for a burst: it is the rate.
func newShape(owner Mark, ns, link string, l spec.Limit) Shape {
	s := Shape{Mark: owner, NS: ns, Link: link, Rate: l.Rate, Peak: l.Peak, Burst: l.Burst}
	if l.Peak > 0 && l.Peak <= l.Rate {
		s.Rate, s.Peak, s.Burst = l.Peak, 0, 0
	}
	return s
}

// Key implements Object.
func (s Shape) Key() Key { return Key{s.NS, KindShape, s.Link} }

func (s Shape) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "qdisc tbf dev %s rate %s", s.Link, s.Rate)
	if s.Peak > 0 {
		fmt.Fprintf(&b, " peak %s", s.Peak)
	}
	if plain := (Shape{Rate: s.Rate}); s.Burst > 0 && !plain.fits(s) {
		fmt.Fprintf(&b, " burst %d", s.Burst)
	}
	return b.String()
}

// What may be sent at once where nobody says so, and the least that may: a frame
// that is larger than the bucket is never sent.
const (
	bitsPerByte  = 8 // the kernel keeps a rate in bytes a second
	burstFor     = 100
	framesAtOnce = 2
	plainMTU     = 1500
	frameHeader  = 18      // Ethernet with a VLAN
	mostAtOnce   = 1 << 30 // the kernel counts in 32 bits
)

// BurstAt is how many bytes may be sent at once on a link with an MTU: what is
// written, else what the rate brings in a hundredth of a second.
func (s Shape) BurstAt(mtu int) int64 {
	burst := s.Burst
	if burst == 0 {
		burst = int64(s.Rate / bitsPerByte / burstFor)
	}
	return min(max(burst, leastBurst(mtu)), mostAtOnce)
}

// PeakBurstAt is how many bytes may be sent at once beside what the peak brings.
func (s Shape) PeakBurstAt(mtu int) int64 { return Shape{Rate: s.Peak}.BurstAt(mtu) }

func leastBurst(mtu int) int64 { return int64(framesAtOnce * (max(mtu, plainMTU) + frameHeader)) }

// sameShape compares with an observed one.
func sameShape(w, h Shape) bool {
	return h.Rate/bitsPerByte == w.Rate/bitsPerByte && h.Peak/bitsPerByte == w.Peak/bitsPerByte && w.fits(h)
}

// fits compares the burst with that of an observed shape. The kernel tells it as
// the time that the rate takes for it, in units of 64 ns and with 32 bits: of a
// bucket that takes longer to fill than these can tell, nothing is known.
func (s Shape) fits(h Shape) bool {
	const tick, longest = 64, 270 // nanoseconds, seconds
	want, rate := s.BurstAt(h.MTU), int64(s.Rate/bitsPerByte)
	inexact := rate*tick/1e9 + want/1000 + 1
	return want/max(rate, 1) >= longest || h.Burst-want <= inexact && want-h.Burst <= inexact
}

// bandwidth is the limit of an interface of a router: its own, else the network's.
func (e *end) bandwidth() spec.Bandwidth {
	switch {
	case e.i != nil && e.i.Bandwidth != nil:
		return *e.i.Bandwidth
	case e.n.Bandwidth != nil:
		return *e.n.Bandwidth
	}
	return spec.Bandwidth{}
}
