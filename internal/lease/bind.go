package lease

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"kvmnet/internal/spec"
)

// reserve holds one particular address.
func (a *allocator) reserve(c Client, addr netip.Addr, d time.Duration, now time.Time) error {
	a.purge(now)
	if err := check(c, addr); err != nil {
		return err
	}
	if a.taken(addr, c.key()) {
		return ErrTaken
	}
	a.hold(c, addr, now.Add(d))
	return nil
}

// bind gives the address to the client, or renews it.
func (a *allocator) bind(c Client, addr netip.Addr, now time.Time, life spec.Seconds) (Lease, error) {
	a.purge(now)
	if err := check(c, addr); err != nil {
		return Lease{}, err
	}
	if a.taken(addr, c.key()) {
		return Lease{}, ErrTaken
	}
	l, kind := Lease{Addr: addr, Client: c, Begun: wall(now), Expires: expiry(now, life)}, "bound"
	if e := a.entries[addr]; e != nil && e.State == Bound {
		l.Begun, kind = e.Begun, "renewed"
		l.Client = c.after(e.Client)
	}
	e := a.put(l)
	if g := a.guests[c.key()]; g.hold != nil {
		a.unhold(g.hold)
	}
	a.event(kind, e.Lease, "")
	a.warn(e.Lease)
	return e.Lease, nil
}

// after is the client as it renews its lease: what it does not tell this time
// stays as it was.
func (c Client) after(was Client) Client {
	c.ClientID = cmp.Or(c.ClientID, was.ClientID)
	c.Port = cmp.Or(c.Port, was.Port)
	c.Hostname = cmp.Or(c.Hostname, was.Hostname)
	return c
}

// decline puts the address aside. A lease of another client stays, and so does an
// offer to one unless the server itself found the address in use.
func (a *allocator) decline(c Client, addr netip.Addr, now time.Time, quarantine time.Duration) (Lease, error) {
	a.purge(now)
	if !addr.IsValid() || addr.Zone() != "" {
		return Lease{}, fmt.Errorf("decline %v: not an address that is given out", addr)
	}
	e := a.entries[addr]
	found := c.MAC.IsZero() && (e == nil || e.State.Ended()) // by the server: nobody is to have it, whoever waits for it
	if !found && a.taken(addr, c.key()) {
		return Lease{}, ErrTaken
	}
	if h := a.holds.at[addr]; h != nil {
		a.unhold(h)
	}
	c.V6 = addr.Is6()
	e = a.put(Lease{Addr: addr, Client: c, Begun: wall(now), Expires: wall(now.Add(quarantine)), State: Declined})
	a.event("declined", e.Lease, "")
	return e.Lease, nil
}

// release ends a bound lease, or the quarantine of a declined address.
func (a *allocator) release(e *entry, kind, why string, now time.Time) Lease {
	a.end(e, Released, wall(now))
	a.event(kind, e.Lease, why)
	return e.Lease
}

// expire ends a lease whose time is over, and reports whether it was.
func (a *allocator) expire(e *entry, now time.Time) bool {
	if e.State.Ended() || e.Expires.IsZero() || e.Expires.After(now) {
		return false
	}
	why := ""
	if e.State == Declined {
		why = "the quarantine of the declined address is over"
	}
	l := e.Lease
	l.State = Expired
	a.end(e, Expired, now)
	a.event("expired", l, why)
	return true
}

var errNoMAC = errors.New("lease an address: the client has no MAC, by which leases are kept")

// check tells what no client can have.
func check(c Client, addr netip.Addr) error {
	switch {
	case c.MAC.IsZero():
		return errNoMAC
	case !addr.IsValid() || addr.Zone() != "" || addr.Is4In6() || addr.Is6() != c.V6:
		return fmt.Errorf("lease %v to %v: not an address of the client's family", addr, c.MAC)
	}
	return nil
}

// wall is the time as the book keeps it: of the wall clock, in milliseconds.
func wall(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// expiry is when a lease of that life ends, never too early; zero = never.
func expiry(now time.Time, life spec.Seconds) time.Time {
	if life == spec.Infinite {
		return time.Time{}
	}
	return wall(now.Add(time.Duration(life)*time.Second + time.Millisecond - 1))
}
