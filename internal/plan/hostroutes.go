package plan

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// wayBack is a route to a subnet behind a router, for those who have the router's
// uplink among their own networks.
type wayBack struct {
	at     *end // where it leads out
	to     netip.Prefix
	via    netip.Addr // the router's address there
	router string
}

// waysBack are the routes to networks that leave a router with the guests' own
// addresses, wherever the router's uplink is a network of ours or a link to the
// host. Of two with one prefix the first is had: validation refuses them.
func (l *layout) waysBack() []wayBack {
	type use struct {
		ns string
		to netip.Prefix
	}
	var list []wayBack
	taken := map[use]bool{}
	for _, e := range l.order {
		if e.ns == "" || e.egress() != spec.EgressRoute {
			continue
		}
		for name, u := range sorted(l.live.Routers[e.router].Ways()) {
			if e.i.Uplink != "" && e.i.Uplink != name {
				continue
			}
			for _, b := range l.waysTo(e, name, u) {
				if key := (use{b.at.ns, b.to}); !taken[key] {
					taken[key] = true
					list = append(list, b)
				}
			}
		}
	}
	return list
}

// waysTo are the ways to the subnets of an end by one uplink of its router.
func (l *layout) waysTo(e *end, name string, u *spec.Uplink) (list []wayBack) {
	neighbours := l.ends[u.Network]
	if u.Host != "" {
		neighbours = []*end{l.links[place{"", HostEnd(e.router, name)}]}
	}
	w, ok := l.way(e.router, name, u)
	for _, at := range neighbours {
		if !ok || at.ns == e.ns || len(at.subnets) == 0 {
			continue
		}
		for _, p := range e.subnets {
			if via := w.address(p.Addr()); via.IsValid() {
				list = append(list, wayBack{at, p.Masked(), via, e.router})
			}
		}
	}
	return list
}

// routesToRouters wants them.
func (b *builder) routesToRouters() {
	for _, w := range b.lay.back {
		b.want.Add(Route{Mark: Mark(routerOwner(w.router)), NS: w.at.ns, Dst: w.to, Via: w.via, Link: w.at.link})
	}
}

// address is the router's own on the uplink, of the address's family.
func (w *way) address(of netip.Addr) netip.Addr {
	for _, p := range w.addresses {
		if p.Addr().Is4() == of.Is4() {
			return p.Addr()
		}
	}
	return netip.Addr{}
}
