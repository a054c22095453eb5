package dhcp6

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// offer decides on an IA of a SOLICIT: the address is held, not bound.
func (x *exchange) offer(a ia) result {
	var hint netip.Addr
	if len(a.addrs) > 0 {
		hint = a.addrs[0]
	}
	r := x.choose(a, lease.Want{Ranges: x.link.ranges, Hint: hint})
	x.complain(r.err)
	return r
}

// grant decides on an IA of a REQUEST (RFC 8415 section 18.3.2).
func (x *exchange) grant(a ia) result {
	if !x.fits(a) {
		return result{ia: a, status: status(iana.StatusNotOnLink, "not an address of this link")}
	}
	return x.commit(x.offer(a))
}

func (x *exchange) commitAll(offers []result) []result {
	for i, r := range offers {
		offers[i] = x.commit(r)
	}
	return offers
}

// commit binds what was chosen.
func (x *exchange) commit(r result) result {
	if !r.addr.IsValid() {
		return r
	}
	if holder, other := x.sibling(r.client, r.addr); other {
		x.book.release(holder, r.addr)
	}
	if err := x.book.bind(r.client, r.addr, r.life); err != nil {
		return x.refuse(r.ia, err)
	}
	return r
}

// choose finds an address for an IA: one reserved for the client, which its first
// IA gets, or else what the book proposes out of want.
func (x *exchange) choose(a ia, want lease.Want) result {
	who := x.holder(a)
	for i, k := range x.kept {
		if x.obtain(who, k.reservation) {
			x.kept = slices.Delete(slices.Clone(x.kept), i, i+1)
			who.Hostname = x.called(k.reservation)
			return x.give(a, who, k.reservation.Addr, k.reservation)
		}
	}
	who.Hostname = x.config.permitted(x.name)
	want.Usable, want.PerPort, want.Hold = x.link.free, x.config.plan.PerPort, lease.OfferTime
	if x.trusted {
		want.PerPort = 0
	}
	addr, err := x.book.table.Propose(who, want)
	if err != nil {
		return x.refuse(a, err)
	}
	return x.give(a, who, addr, nil)
}

func (x *exchange) give(a ia, who lease.Client, addr netip.Addr, v *plan.Reservation) result {
	if x.scope == nil {
		x.scope, x.reserved, x.hostname = x.link.scope(addr), v, who.Hostname
	}
	return result{ia: a, addr: addr, life: x.link.life(addr, v), client: who}
}

// refuse answers an IA for which there is no address.
func (x *exchange) refuse(a ia, err error) result {
	x.unwritable(err)
	return result{ia: a, err: err, status: status(iana.StatusNoAddrsAvail, "no address is free")}
}

// complain tells the operator why a guest gets no address.
func (x *exchange) complain(err error) {
	switch {
	case errors.Is(err, lease.ErrLimit):
		x.warn("limit/"+x.port, "port %q has as many DHCPv6 addresses as it may have; %s gets none", x.port, x.mac)
	case errors.Is(err, lease.ErrExhausted) && len(x.link.ranges) > 0:
		x.warn("exhausted", "no DHCPv6 address is free for %s; make the ranges larger", x.mac)
	}
}

// obtain holds a reserved address for the client it is for.
func (x *exchange) obtain(who lease.Client, v *plan.Reservation) bool {
	err := x.book.table.Hold(who, v.Addr, lease.OfferTime)
	if err == nil {
		return true
	}
	if _, other := x.sibling(who, v.Addr); other && !x.hasLease(who) {
		return true
	}
	if held, found := x.book.table.At(v.Addr); !x.unwritable(err) && found && held.MAC != who.MAC {
		x.warn("reserved/"+v.Addr.String(), "%s gets another address than %s, which is reserved for it: %v", x.mac, v.Addr, err)
	}
	return false
}

// sibling finds the same guest's other IA that has the address, and that the
// message does not name. Firmware, installer and system of one machine each choose
// an IAID of their own; what is reserved for the machine moves along.
func (x *exchange) sibling(who lease.Client, a netip.Addr) (lease.Client, bool) {
	held, ok := x.book.table.At(a)
	if !ok || held.State != lease.Bound || held.MAC != who.MAC || held.IAID == who.IAID || x.names(held.IAID) {
		return lease.Client{}, false
	}
	return held.Client, true
}

func (x *exchange) hasLease(who lease.Client) bool {
	_, ok := x.bound(who)
	return ok
}

func (x *exchange) bound(who lease.Client) (lease.Lease, bool) {
	l, ok := x.book.table.Find(who)
	return l, ok && l.State == lease.Bound
}

func (x *exchange) warn(key, format string, args ...any) {
	x.warnings = append(x.warnings, warning{key, fmt.Sprintf(format, args...)})
}
