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
	Behind(spec.MAC) string    // the port an Ethernet address is behind, "" = not known
	Clear(netip.Addr) bool     // probed lately, and nobody answered
	Stock(*scope) []plan.Range // addresses for newcomers that are clear, sorted
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
	fresh   bool // the client did not have the address before
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
	d := desk{q: q, c: c, v: v, home: home, trusted: home != nil && home.trusts(q)}
	d.last, _ = v.Find(lease.Client{MAC: q.chaddr})
	d.bound = d.last.Addr.IsValid() && d.last.State == lease.Bound
	if d.forged() {
		return silent(forged)
	}
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

	trusted bool        // it came by a trusted relay agent
	last    lease.Lease // the client's, in force or not
	bound   bool        // it is in force
}

// reservation finds what is kept for the client, and where.
func (d *desk) reservation() (*scope, *reservation) {
	scopes := d.c.near
	if d.home != nil {
		scopes = []*scope{d.home}
	}
	for _, s := range scopes {
		if r := s.reservationOf(d.q); r != nil {
			return s, r
		}
	}
	return nil, nil
}

// client is the identity under which the table knows the client. A name that is
// reserved is its guest's only. The port is where the client is now: machines move.
func (d *desk) client(r *reservation) lease.Client {
	c := lease.Client{MAC: d.q.chaddr, Hostname: d.q.hostname, Port: d.port()}
	switch {
	case r != nil && r.label != "":
		c.Hostname = r.label
	case d.c.names[c.Hostname]:
		c.Hostname = ""
	}
	if len(d.q.clientID) <= longestID {
		c.ClientID = d.q.clientID
	}
	return c
}

// longestID is what one option holds. A longer client id is echoed, not remembered.
const longestID = 255
