package dhcp4

import (
	"errors"
	"net/netip"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// discover: the reserved address if it can be had, else one of the client's
// present scope, else of the scopes in order.
func (d *desk) discover() answer {
	rs, r := d.reservation()
	if r != nil {
		c := d.client(r)
		if d.v.Hold(c, r.Addr, lease.OfferTime) == nil {
			a := d.granted(rs, r, r.Addr, c)
			_, known := d.v.At(r.Addr)
			a.fresh = !known
			return a
		}
		d.occupied(r)
	}
	var full []note
	c := d.client(nil)
	for _, s := range d.order(d.last.Addr) {
		addr, fresh, wait, err := d.propose(s, c)
		switch {
		case err == nil:
			a := d.granted(s, nil, addr, c)
			a.fresh, a.wait = fresh, wait
			return a
		case errors.Is(err, lease.ErrLimit):
			return silent(limited, append(d.notes, portFull(c.Port, d.c.perPort))...)
		}
		full = append(full, d.exhausted(s))
	}
	return silent(exhausted, append(d.notes, full...)...)
}

// order lists the scopes a newcomer may be in, the one of its last address first.
func (d *desk) order(last netip.Addr) []*scope {
	if d.home != nil {
		return []*scope{d.home}
	}
	s := d.c.containing(last)
	if s == nil || s.Far || s == d.c.near[0] {
		return d.c.near
	}
	list := []*scope{s}
	for _, other := range d.c.near {
		if other != s {
			list = append(list, other)
		}
	}
	return list
}

// propose picks a dynamic address. One that is fresh, that is, new to the client,
// waits for a probe if it was not probed ahead, unless the stock has one that was;
// what the client asks for itself is worth the wait. A lease that ended is no proof
// that its guest is gone (RFC 2131 section 2.2). Behind a relay, ARP reaches nobody.
func (d *desk) propose(s *scope, c lease.Client) (addr netip.Addr, fresh, wait bool, err error) {
	if len(s.Ranges) == 0 {
		return netip.Addr{}, false, false, lease.ErrExhausted
	}
	w := d.want(s, s.Ranges)
	if addr, err = d.v.Propose(c, w); err != nil {
		return addr, false, false, err
	}
	last, _ := d.v.At(addr)
	if fresh = last.MAC != d.q.chaddr; !fresh || d.q.giaddr.IsValid() || d.v.Clear(addr) {
		return addr, fresh, false, nil
	}
	if stock := d.v.Stock(s); len(stock) > 0 && addr != d.q.asked {
		w.Ranges = stock
		if other, err := d.v.Propose(c, w); err == nil {
			return other, true, false, nil
		}
	}
	return addr, true, true, nil
}

func (d *desk) want(s *scope, ranges []plan.Range) lease.Want {
	usable := s.open
	if s.Far { // the relay agent has an address there
		usable = func(a netip.Addr) bool { return s.open(a) && a != d.q.giaddr }
	}
	w := lease.Want{Ranges: ranges, Usable: usable, Hint: d.q.asked, PerPort: d.c.perPort, Hold: lease.OfferTime}
	if d.trusted {
		w.PerPort = 0
	}
	return w
}

// granted offers an address, or gives it at once to a client that asks for
// rapid commit (RFC 4039).
func (d *desk) granted(s *scope, r *reservation, addr netip.Addr, c lease.Client) answer {
	a := answer{kind: offer, scope: s, res: r, addr: addr, life: s.life(d.q, r, addr), client: c, notes: d.notes}
	if d.q.rapid && d.q.kind == discover {
		a.kind, a.bind, a.rapid = ack, true, true
	}
	return a
}
