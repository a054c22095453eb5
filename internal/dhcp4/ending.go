package dhcp4

import (
	"fmt"

	"kvmnet/internal/lease"
)

// decline takes an address out of use that the client found in use by somebody
// else. Only who holds it may say so.
func (d *desk) decline() answer {
	switch {
	case d.q.server.IsValid() && !d.c.servers[d.q.server]:
		return silent(otherServer)
	case !d.has(d.q.asked) || !d.mayEnd():
		return silent(notHeld)
	}
	text := fmt.Sprintf("%s found %s in use by somebody else: it is not given for %s", d.last.MAC, d.last.Addr, lease.Quarantine)
	return answer{kind: decline, addr: d.last.Addr, client: d.last.Client, notes: []note{{"declined " + d.last.Addr.String(), text}}}
}

// release ends the client's lease.
func (d *desk) release() answer {
	switch {
	case d.q.server.IsValid() && !d.c.servers[d.q.server]:
		return silent(otherServer)
	case !d.has(d.q.ciaddr) || !d.mayEnd():
		return silent(notHeld)
	}
	return answer{kind: release, addr: d.last.Addr, client: d.last.Client}
}

// inform gives the options to a client that has an address by other means; there
// is no lease, and no lease time (RFC 2131 section 4.3.5).
func (d *desk) inform() answer {
	s := d.c.containing(d.q.ciaddr)
	if s == nil {
		s = d.home
	}
	switch {
	case !d.q.ciaddr.IsValid():
		return silent(malformed)
	case s == nil:
		return silent(noScope)
	}
	r := s.reservationOf(d.q)
	return answer{kind: ack, scope: s, res: r, client: d.client(r)}
}
