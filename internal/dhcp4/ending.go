package dhcp4

import (
	"fmt"

	"kvmnet/internal/lease"
)

// decline takes an address out of use that the client found in use by somebody
// else. Only who holds it may say so.
func (d *desk) decline() answer {
	own, bound := d.own()
	switch {
	case d.q.server.IsValid() && !d.c.servers[d.q.server]:
		return silent(otherServer)
	case !bound || own.Addr != d.q.asked || !d.mayEnd(own):
		return silent(notHeld)
	}
	text := fmt.Sprintf("%s found %s in use by somebody else: it is not given for %s", own.MAC, own.Addr, quarantine)
	return answer{kind: decline, addr: own.Addr, client: own.Client, notes: []note{{"declined " + own.Addr.String(), text}}}
}

// release ends the client's lease.
func (d *desk) release() answer {
	own, bound := d.own()
	switch {
	case d.q.server.IsValid() && !d.c.servers[d.q.server]:
		return silent(otherServer)
	case !bound || own.Addr != d.q.ciaddr || !d.mayEnd(own):
		return silent(notHeld)
	}
	return answer{kind: release, addr: own.Addr, client: own.Client}
}

// mayEnd reports whether the message comes from where the lease's client is.
// The hardware address inside is only the sender's word: with it alone, a guest
// could end the lease of another one. What comes by way of a router has the
// router's address.
func (d *desk) mayEnd(l lease.Lease) bool {
	return d.q.frame == d.q.chaddr || l.Port == "" || isRelayPort(l.Port) ||
		d.v.Port(d.q, false) == l.Port
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
	return answer{kind: ack, scope: s, res: s.reservationOf(d.q)}
}
