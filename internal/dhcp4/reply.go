package dhcp4

import (
	"net/netip"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// view is what decide sees of the world. Propose and Hold keep addresses for a
// moment; nothing that decide calls makes or ends a lease.
type view interface {
	Find(lease.Client) (lease.Lease, bool)
	At(netip.Addr) (lease.Lease, bool)
	Propose(lease.Client, lease.Want) (netip.Addr, error)
	Hold(lease.Client, netip.Addr, time.Duration) error
	Port(q *query, trusted bool) string // the port a message came from
	Clear(netip.Addr) bool              // probed lately, and nobody answered
	Stock(*scope) []plan.Range          // addresses for newcomers that are clear, sorted
}

// answer is what a request gets.
type answer struct {
	kind    kind // offer, ack, nak; decline and release are carried out; 0 = nothing, see why
	why     reason
	scope   *scope
	res     *reservation
	addr    netip.Addr
	life    spec.Seconds
	client  lease.Client
	bind    bool // the lease comes before the answer
	rapid   bool // an ACK to a DISCOVER
	fresh   bool // nobody had the address before
	wait    bool // for a probe of the address
	message string
	notes   []note
}

// note is a warning; of those with one key, few are passed on.
type note struct{ key, text string }

func silent(why reason, notes ...note) answer { return answer{why: why, notes: notes} }

// decide says what a message gets (RFC 2131 section 4.3).
func decide(q *query, c *config, v view) answer {
	home, direct := c.home(q)
	if len(c.scopes) == 0 || home == nil && !direct {
		return silent(noScope)
	}
	d := desk{q: q, c: c, v: v, home: home}
	switch q.kind {
	case discover:
		return d.discover()
	case request:
		return d.request()
	case decline:
		return d.decline()
	case release:
		return d.release()
	case inform:
		return d.inform()
	}
	return silent(unexpected)
}

// desk is one request in work.
type desk struct {
	q     *query
	c     *config
	v     view
	home  *scope // the only scope the client can be in, nil = any
	notes []note
}

// reservation finds what is kept for the client, and where.
func (d *desk) reservation() (*scope, *reservation) {
	for _, s := range d.c.scopes {
		if d.home != nil && d.home != s {
			continue
		}
		if r := s.reservationOf(d.q); r != nil {
			return s, r
		}
	}
	return nil, nil
}

// client is the identity under which the table knows the client. The port of a
// lease in force is not looked up again.
func (d *desk) client(r *reservation, own lease.Lease, bound, trusted bool) lease.Client {
	c := lease.Client{MAC: d.q.chaddr, ClientID: d.q.clientID, Hostname: d.q.hostname}
	if r != nil && r.label != "" {
		c.Hostname = r.label
	}
	if bound && own.Port != "" {
		c.Port = own.Port
	} else {
		c.Port = d.v.Port(d.q, trusted)
	}
	return c
}

// own is the client's lease, and whether it is in force.
func (d *desk) own() (l lease.Lease, bound bool) {
	l, ok := d.v.Find(lease.Client{MAC: d.q.chaddr})
	return l, ok && l.State == lease.Bound
}
