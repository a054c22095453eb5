package lease

import "time"

// dropPort ends the leases of a port and gives its holds up.
func (a *allocator) dropPort(port string, now time.Time) []Lease {
	var leases []Lease
	for _, e := range a.entries {
		if e.Port == port && e.State == Bound {
			leases = append(leases, a.release(e, "dropped", "the port is deleted", now))
		}
	}
	for _, h := range a.holds.at {
		if h.port == port {
			a.unhold(h)
		}
	}
	return leases
}

// dropAll is the events of the end of the network. The allocator is not used
// any more.
func (a *allocator) dropAll() []Event {
	for _, e := range a.entries {
		if e.State == Bound {
			l := e.Lease
			l.State = Released
			a.event("dropped", l, "the network is deleted")
		}
		a.forgot(e)
	}
	return a.events
}
