package dhcp6

import (
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// lingerTime is for several retransmissions of a RENEW, which begin 10 s apart
// (REN_TIMEOUT, RFC 8415 section 7.6).
const lingerTime = 2 * time.Minute

// extend decides on an IA of a RENEW or REBIND (RFC 8415 sections 18.3.4, 18.3.5):
//
//  1. A lease goes on; or, where the config no longer lets it, another address takes
//     its place and the old one is told with lifetimes 0.
//  2. Without a lease, an IA without addresses is one the client did not get before.
//  3. An address that is free and ours is bound again, so that the guest goes on
//     undisturbed although the book forgot it; or else one that is reserved for it.
//  4. Otherwise it is not the client's: NoBinding makes a renewing client ask anew,
//     lifetimes 0 a rebinding one.
func (x *exchange) extend(a ia) result {
	old, bound := x.bound(x.holder(a))
	switch {
	case bound:
		return x.prolong(a, old)
	case len(a.addrs) == 0:
		return x.commit(x.offer(a))
	}
	if r := x.restore(a); r.addr.IsValid() {
		return r
	}
	if x.kind == dhcpv6.MessageTypeRebind {
		return result{ia: a, dead: a.addrs}
	}
	return result{ia: a, status: status(iana.StatusNoBinding, "not a lease of this server")}
}

// prolong renews a lease, and lets go of every other address that the client names.
func (x *exchange) prolong(a ia, old lease.Lease) result {
	r := x.choose(a, lease.Want{Ranges: x.link.ranges, Hint: old.Addr})
	x.complain(r.err)
	if r = x.commit(r); x.err != nil {
		return r
	}
	r.dead = except(a.addrs, r.addr)
	if !r.addr.IsValid() {
		x.book.release(old.Client, old.Addr)
		if len(r.dead) > 0 {
			r.status = nil // lifetimes 0 say it, and old clients take no IA with both
		}
	}
	x.linger(old, r)
	return r
}

// linger keeps from newcomers what the client is told to leave: it may still use
// the address, because the answer is lost. Then it soon asks again.
func (x *exchange) linger(old lease.Lease, r result) {
	left := old.Addr
	if left == r.addr && len(r.dead) > 0 {
		left = r.dead[0]
	}
	if left != r.addr && x.link.scope(left) != nil {
		_ = x.book.table.Hold(old.Client, left, lingerTime) // ErrTaken: it is somebody else's anyway
	}
}

// restore binds an address that the client says to have, or what is reserved for it.
func (x *exchange) restore(a ia) result {
	for _, addr := range a.addrs {
		want := lease.Want{Hint: addr}
		if _, ours := x.link.inRange(addr); ours {
			want.Ranges = []plan.Range{{From: addr, To: addr}}
		}
		if r := x.commit(x.choose(a, want)); r.addr.IsValid() {
			r.dead = except(a.addrs, r.addr)
			return r
		}
	}
	return result{}
}

func except(addrs []netip.Addr, a netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(addrs), func(b netip.Addr) bool { return a == b })
}

// end answers a RELEASE or DECLINE: Success for the message, NoBinding for each
// IA that is not the client's (RFC 8415 sections 18.3.7, 18.3.8).
func (x *exchange) end(one func(ia, lease.Lease)) *dhcpv6.Message {
	m := message(dhcpv6.MessageTypeReply, status(iana.StatusSuccess, "done"))
	for _, a := range x.ias {
		held, bound := lease.Lease{}, false
		if a.code == dhcpv6.OptionIANA {
			held, bound = x.bound(x.holder(a))
		}
		switch {
		case !bound || !x.isHere(held):
			m.AddOption(result{ia: a, status: status(iana.StatusNoBinding, "not a lease of this server")}.encode(0, 0))
		case slices.Contains(a.addrs, held.Addr):
			one(a, held)
		}
	}
	return m
}

// isHere reports whether the message comes from the port behind which the lease's
// client is. The bridge has just learnt where the frame came from, so not even who
// borrows the client's Ethernet address can end its lease from another port.
func (x *exchange) isHere(held lease.Lease) bool { return held.Port == "" || held.Port == x.port }

func (x *exchange) releaseIA(_ ia, held lease.Lease) { x.book.release(held.Client, held.Addr) }

// declineIA takes an address out of use that the client found in use by somebody
// else. Only who was given it may do so, or one guest could close the pool.
func (x *exchange) declineIA(_ ia, held lease.Lease) {
	x.book.decline(held.Client, held.Addr, lease.Quarantine)
	x.warn("declined/"+held.Addr.String(), "%s found %s in use by somebody else; nobody gets it for %s", x.mac, held.Addr, lease.Quarantine)
}
