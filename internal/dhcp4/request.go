package dhcp4

import (
	"errors"
	"net/netip"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// request answers a REQUEST. The client is SELECTING when it names a server,
// in INIT-REBOOT when it asks for an address by option, and else renews or
// rebinds what it has (RFC 2131 section 4.3.2, table 4).
func (d *desk) request() answer {
	addr := d.q.asked
	if !addr.IsValid() {
		addr = d.q.ciaddr
	}
	switch {
	case d.q.server.IsValid() && !d.c.servers[d.q.server]:
		return silent(otherServer)
	case !addr.IsValid():
		return silent(malformed)
	}
	s := d.c.containing(addr)
	if s == nil || d.home != nil && s != d.home || s.Far && !d.q.giaddr.IsValid() && !d.has(addr) {
		return d.refuse(s, "the address is not on this network")
	}
	_, r := d.reservation()
	if r != nil && r.Addr == addr {
		return d.keep(s, r)
	}
	if r != nil && d.v.Hold(d.client(r), r.Addr, lease.OfferTime) == nil {
		return d.refuse(s, "another address is reserved for the client")
	}
	return d.give(s, addr)
}

// keep acknowledges the address that is reserved for the client.
func (d *desk) keep(s *scope, r *reservation) answer {
	c := d.client(r)
	if !d.has(r.Addr) && d.v.Hold(c, r.Addr, lease.OfferTime) != nil {
		d.occupied(r)
		return d.refuse(s, "the address is in use")
	}
	return d.acknowledge(s, r, r.Addr, c)
}

// give acknowledges an address of a range: the client's own, the one that it
// was offered, or one that it had when we were not there and that is free.
func (d *desk) give(s *scope, addr netip.Addr) answer {
	if !s.dynamic(addr) {
		return d.refuse(s, "the address is not available")
	}
	c := d.client(nil)
	if d.has(addr) {
		return d.acknowledge(s, nil, addr, c)
	}
	if d.bound && !d.q.server.IsValid() {
		return d.refuse(s, "the client has another address")
	}
	// Propose rather than Hold: it keeps to the port's limit.
	_, err := d.v.Propose(c, d.want(s, []plan.Range{{From: addr, To: addr}}))
	switch {
	case errors.Is(err, lease.ErrLimit):
		d.notes = append(d.notes, portFull(c.Port, d.c.perPort))
		return d.refuse(s, "too many addresses behind one port")
	case err != nil:
		return d.refuse(s, "the address is in use")
	}
	return d.acknowledge(s, nil, addr, c)
}

// has reports whether the client's lease is of that address.
func (d *desk) has(addr netip.Addr) bool { return d.bound && d.last.Addr == addr }

func (d *desk) acknowledge(s *scope, r *reservation, addr netip.Addr, c lease.Client) answer {
	a := d.granted(s, r, addr, c)
	a.kind, a.bind = ack, true
	return a
}

// refuse is a NAK. It comes from the scope of the address, of the relay, or from
// the first one when the client is on a wrong network altogether.
func (d *desk) refuse(s *scope, message string) answer {
	if d.home != nil {
		s = d.home
	}
	if s == nil || s.Far && d.home == nil {
		s = append(d.c.near, d.c.scopes...)[0]
	}
	return answer{kind: nak, scope: s, message: message, notes: d.notes}
}
