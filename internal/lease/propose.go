package lease

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"kvmnet/internal/plan"
)

// maxSkips is how many unusable addresses a search passes over before it gives
// up: a range of IPv6 never ends.
const maxSkips = 1 << 16

// propose chooses an address for c and holds it. What the client has or was
// offered counts against its port already.
func (a *allocator) propose(c Client, w Want, now time.Time) (netip.Addr, error) {
	a.purge(now)
	if c.MAC.IsZero() {
		return netip.Addr{}, errNoMAC
	}
	g := a.guests[c.key()]
	counted := g != nil && g.count && g.port == c.Port
	if w.PerPort > 0 && !counted && a.ports[place{c.V6, c.Port}] >= w.PerPort {
		return netip.Addr{}, ErrLimit
	}
	addr, found := a.choose(c, w)
	if !found {
		return netip.Addr{}, ErrExhausted
	}
	if w.Hold > 0 {
		a.hold(c, addr, now.Add(w.Hold))
	}
	return addr, nil
}

// choose prefers what the client knows: its lease, what it was offered before,
// what it asks for, the lease that ended under its client id. Newcomers come
// last.
func (a *allocator) choose(c Client, w Want) (netip.Addr, bool) {
	var known []netip.Addr
	if g := a.guests[c.key()]; g != nil {
		if g.lease != nil {
			known = append(known, g.lease.Addr)
		}
		if g.hold != nil {
			known = append(known, g.hold.addr)
		}
	}
	known = append(known, w.Hint)
	if e := a.ids.other(c, false); e != nil {
		known = append(known, e.Addr)
	}
	for _, addr := range known {
		if w.allows(addr) && !a.taken(addr, c.key()) {
			return addr, true
		}
	}
	for addr := range a.newcomers(w) {
		return addr, true
	}
	return netip.Addr{}, false
}

// newcomers are the addresses for those who have none: the lowest that was never
// used first, so that people can tell what comes; then the one that is unused
// the longest, whose guest is the least likely to come back.
func (a *allocator) newcomers(w Want) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for addr := range a.unused(w) {
			if !yield(addr) {
				return
			}
		}
		for v6 := range a.ended {
			for e := range a.ended[v6].near(w.Ranges) {
				if w.allows(e.Addr) && !yield(e.Addr) {
					return
				}
			}
		}
	}
}

// unused are the usable addresses of which nothing is known, in order.
func (a *allocator) unused(w Want) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		skips := 0
		for _, r := range w.Ranges {
			for addr, found := a.used.next(r.From, r.To); found; addr, found = a.used.next(addr.Next(), r.To) {
				if w.usable(addr) {
					if !yield(addr) {
						return
					}
				} else if skips++; skips > maxSkips {
					return
				}
				if addr == r.To {
					break
				}
			}
		}
	}
}

// taken reports whether addr is not for the client of key k to have: leased or
// offered to another, or declined.
func (a *allocator) taken(addr netip.Addr, k key) bool {
	if h := a.holds.at[addr]; h != nil && h.guest != k {
		return true
	}
	e := a.entries[addr]
	return e != nil && (e.State == Declined || e.State == Bound && e.key() != k)
}

func (w Want) usable(a netip.Addr) bool { return w.Usable == nil || w.Usable(a) }

// allows reports whether a lies in a range and is usable.
func (w Want) allows(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	i, exact := slices.BinarySearchFunc(w.Ranges, a, func(r plan.Range, a netip.Addr) int { return r.From.Compare(a) })
	if !exact {
		i--
	}
	return i >= 0 && !w.Ranges[i].To.Less(a) && w.Ranges[i].From.Is4() == a.Is4() && w.usable(a)
}
