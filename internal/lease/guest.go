package lease

import "time"

// own makes e the lease of its client. A bound lease is never given up for an
// ended one: then e belongs to nobody.
func (a *allocator) own(e *entry) {
	g := a.guest(e.key())
	if other := g.lease; other != nil {
		if other.State == Bound && e.State != Bound {
			e.Client = Client{V6: e.V6}
			return
		}
		a.disown(other, e.Begun)
	}
	g = a.guest(e.key())
	g.lease = e
	a.recount(g)
}

// disown ends the lease of a client that has another one now.
func (a *allocator) disown(e *entry, now time.Time) {
	was := e.Lease
	a.detach(e)
	if was.State == Bound {
		e.State, e.Expires = Released, now
		was.State, was.Expires = Released, now
		a.event("released", was, "the guest has another address now")
	}
	e.Client = Client{V6: e.V6}
	a.attach(e)
}

// guest is the record of a client, made when there is none.
func (a *allocator) guest(k key) *guest {
	g := a.guests[k]
	if g == nil {
		g = &guest{v6: k.v6}
		a.guests[k] = g
	}
	return g
}

// settle counts the client anew, and drops its record when nothing is in it.
func (a *allocator) settle(k key, g *guest) {
	a.recount(g)
	if g.lease == nil && g.hold == nil {
		delete(a.guests, k)
	}
}

// recount counts a client at the port where it was seen last, once, whether it
// has an address, an offer or both.
func (a *allocator) recount(g *guest) {
	port, count := "", false
	switch {
	case g.hold != nil:
		port, count = g.hold.port, true
	case g.lease != nil && g.lease.State == Bound:
		port, count = g.lease.Port, true
	}
	if port == g.port && count == g.count {
		return
	}
	if g.count {
		a.tally(place{g.v6, g.port}, -1)
	}
	if count {
		a.tally(place{g.v6, port}, 1)
	}
	g.port, g.count = port, count
}

// blame counts a declined address at the port of the guest that declined it, so
// that no guest can decline them all. Nobody is to blame for a conflict that the
// server found by itself.
func (a *allocator) blame(e *entry, n int) {
	if !e.MAC.IsZero() {
		a.tally(place{e.V6, e.Port}, n)
	}
}

func (a *allocator) tally(p place, n int) {
	if a.ports[p] += n; a.ports[p] == 0 {
		delete(a.ports, p)
	}
}
