package lab

import (
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// layout is what the file says about who stands where. The promises follow from
// it alone.
type layout struct {
	spec     *spec.Spec
	networks []*network
}

// behind finds the router of a network that the host has no address on.
func (l *layout) behind(n *network) {
	if n.lan() || len(n.spec.Subnets) > 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(l.spec.Routers)) {
		r := l.spec.Routers[name]
		for i := range r.Interfaces {
			if n.face == nil && r.Interfaces[i].Network == n.name {
				n.router, n.face = name, &r.Interfaces[i]
			}
		}
	}
}

// find returns a network by its name, nil when there is none.
func (l *layout) find(name string) *network {
	for _, n := range l.networks {
		if n.name == name {
			return n
		}
	}
	return nil
}

// way returns the uplink by which a network leaves its router in a family, nil if
// there is none.
func (l *layout) way(n *network, f family) *spec.Uplink {
	return wayOut(l.spec.Routers[n.router], n.face.Uplink, f)
}

// wayOut returns the uplink of that name, or the one that everything else takes.
func wayOut(r *spec.Router, name string, f family) *spec.Uplink {
	ways := r.Ways()
	if name != "" {
		if u := ways[name]; u != nil && address(u).has(f) {
			return u
		}
		return nil
	}
	var best *spec.Uplink
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		if u := ways[name]; address(u).has(f) && (best == nil || u.Metric < best.Metric) {
			best = u
		}
	}
	return best
}

// address is the address of each family that a router has on an uplink.
func address(u *spec.Uplink) (d duo) {
	list, _ := u.Address.List()
	for _, p := range list {
		if f := familyOf(p.Addr()); !d.has(f) {
			d[f] = p
		}
	}
	return d
}

// climb lists the segments a packet of a guest crosses on its way out: the
// network, and for one behind a router those by which the router leaves. It ends
// at the host or on a LAN; not out means that there is no way on from the last.
func (l *layout) climb(n *network, f family) (way []*network, out bool) {
	way = []*network{n}
	if n.face == nil {
		return way, true
	}
	u := l.way(n, f)
	switch {
	case u == nil:
		return way, false
	case u.Host != "":
		return append(way, linked(u)), true
	case u.Network == "":
		return way, true
	}
	next := l.find(u.Network)
	if next == nil {
		return way, false
	}
	rest, out := l.climb(next, f)
	return append(way, rest...), out
}

// leadsSomewhere reports whether the gateway of a network is a way to anybody: the
// network leaves, or somebody is let in, who must be answered.
func (l *layout) leadsSomewhere(n *network) bool {
	if n.face == nil && n.spec.Mode != spec.Isolated || n.face != nil && n.egress() != spec.EgressNone {
		return true
	}
	for _, o := range l.networks {
		if slices.Contains(o.spec.Peers, n.name) || o == n && len(n.spec.Peers) > 0 {
			return true
		}
	}
	for _, f := range l.spec.Forwards {
		if f.Network == n.name {
			return true
		}
	}
	for _, p := range l.spec.Policies {
		if len(p.Allow) > 0 && slices.ContainsFunc(guestsOf(n), func(e end) bool { return l.is(p.From, e) || l.is(p.To, e) }) {
			return true
		}
	}
	return false
}

// guestsOf are the guests of a network, as policies see them.
func guestsOf(n *network) (list []end) {
	for _, s := range n.seats {
		for _, a := range s.addr.addrs() {
			list = append(list, end{net: n, addr: a})
		}
	}
	return list
}

// linked is the link between a router and the host, as a network of the host.
func linked(u *spec.Uplink) *network {
	mode := spec.NAT
	if u.Host == spec.HostRoute {
		mode = spec.Route
	}
	return &network{spec: &spec.Network{Mode: mode}}
}

// outward tells by which router's uplink a network reaches a LAN, nil for one that
// leaves by the host.
func (l *layout) outward(n *network, f family) *spec.Uplink {
	way, _ := l.climb(n, f)
	if top := way[len(way)-1]; top.face != nil {
		return l.way(top, f)
	}
	return nil
}

// source is the address with which a network leaves its gateway, the zero range
// for its guests' own.
func (l *layout) source(n *network, f family) (r spec.AddrRange) {
	if !n.translates(f) {
		return r
	}
	if n.face == nil {
		return spec.AddrRange{From: machineAddr.addr(f), To: machineAddr.addr(f)}
	}
	if s := n.face.SNAT; s != nil && n.egress() == spec.EgressSNAT {
		r = [2]spec.AddrRange{s.Address, s.IPv6}[f]
	}
	if u := l.way(n, f); r.IsZero() && u != nil {
		r = spec.AddrRange{From: address(u).addr(f), To: address(u).addr(f)}
	}
	return r
}

// next is where the outside must send packets for a network: an address of the
// router or of the machine.
func (l *layout) next(n *network, f family) netip.Addr {
	if u := l.outward(n, f); u != nil {
		return address(u).addr(f)
	}
	return machineAddr.addr(f)
}

// overlap reports whether two networks have the same addresses, so that nobody
// but a router can tell their guests apart.
func overlap(a, b *network, f family) bool {
	p, q := a.gateways()[f], b.gateways()[f]
	return p.IsValid() && q.IsValid() && p.Masked().Overlaps(q.Masked())
}

// shared reports whether another network, before this one, has its addresses.
func (l *layout) shared(n *network, f family) bool {
	for _, o := range l.networks {
		if o == n {
			return false
		}
		if overlap(o, n, f) {
			return true
		}
	}
	return false
}
