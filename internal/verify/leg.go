package verify

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"kvmnet/internal/spec"
)

// leg is a prefix of a site, with the guests' addresses in it.
type leg struct {
	prefix  netip.Prefix
	gateway netip.Addr // zero: the prefix is invented
	a, b    netip.Addr // of the guests; zero if there is no free one
	hop     spec.MAC   // what guests take for the gateway's: where packets to elsewhere go
	mute    bool       // the gateway does not tell its MAC, so hop is the bridge's
	gate               // who holds the gateway
	home    *place     // the same, to look into
	lost    string     // why nobody can look into it; "" when one can
}

func (l *leg) v6() bool { return l.prefix.Addr().Is6() }

// leg returns the first leg of a family, nil without one.
func (s *site) leg(v6 bool) *leg {
	for _, l := range s.legs {
		if l.v6() == v6 {
			return l
		}
	}
	return nil
}

// first reports whether a leg is the first of its family with its gate.
func (s *site) first(l *leg) bool {
	at := slices.IndexFunc(s.legs, func(o *leg) bool { return o.v6() == l.v6() && o.router == l.router })
	return s.legs[at] == l
}

// facing returns the leg of another site that meets a leg of this one at a host or
// router of both, else its first leg of the family; nil without one.
func (s *site) facing(l *leg) *leg {
	for _, o := range s.legs {
		if o.v6() == l.v6() && o.router == l.router && o.gateway.IsValid() {
			return o
		}
	}
	return s.leg(l.v6())
}

// owns reports whether an address is in a subnet of the site, as one of another
// network may be behind another router.
func (s *site) owns(a netip.Addr) bool {
	return slices.ContainsFunc(s.legs, func(l *leg) bool { return l.prefix.Contains(a) })
}

// has reports whether a guest has the address already, of a subnet that two
// routers serve.
func (s *site) has(a netip.Addr) bool {
	return slices.ContainsFunc(s.legs, func(l *leg) bool { return l.a == a || l.b == a })
}

// findHop asks for the gateway's MAC. Guests without one send to the bridge's: so
// would somebody who tries to get out.
func (s *site) findHop(ctx context.Context, l *leg) {
	l.hop = s.mac
	if !l.gateway.IsValid() || !l.a.IsValid() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	mac, err := s.a.host.Resolve(ctx, nic, l.gateway)
	if l.mute = err != nil; !l.mute {
		l.hop = mac
	}
}

// forget has the host and the router forget an address.
func (l *leg) forget(s *site, a netip.Addr) {
	s.run.host.forget(s.index, a)
	if l.via == nil || l.home == nil {
		return
	}
	if link, err := l.home.nl.LinkByName(l.via.Name); err == nil {
		l.home.forget(link.Attrs().Index, a)
	}
}
