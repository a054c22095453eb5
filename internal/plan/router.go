package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// router wants all that a virtual router consists of: its namespace, the program
// there, interfaces on the networks that run, and the uplinks that are there. What
// is not there yet comes with a later pass.
func (b *builder) router(name string, r *spec.Router) {
	rt := newRouting(b, name, r)
	b.want.Add(
		Netns{Mark: rt.owner, Name: name},
		Program{NS: name, Fingerprint: b.facts.Routers},
		Up{Mark: rt.owner, NS: name, Link: loopback})
	if rt.many {
		rt.set("ipv4", "all", "rp_filter", "0") // the larger of this and the interface's counts
	}
	if b.facts.IPv6 && !b.facts.ForceIPv6 {
		rt.set("ipv6", "all", "forwarding", "1")
	}
	for _, e := range b.lay.order {
		if e.ns == name {
			rt.inner(e)
		}
	}
	for _, w := range rt.ways {
		rt.outer(w)
	}
	rt.steer()
	rt.statics()
	rt.cap()
}

// routing collects what one router consists of.
type routing struct {
	*builder
	name  string
	owner Mark
	r     *spec.Router
	ways  []way // uplinks that are there
	many  bool  // there are to be several
}

// way is an uplink that is there.
type way struct {
	name      string
	u         *spec.Uplink
	bridge    string // it is plugged into, "" for others
	mtu       int
	addresses []netip.Prefix
	gateways  []netip.Addr // next hops to everywhere, at most one a family
	mark      int          // of connections, and the number of its routing table
}

func newRouting(b *builder, name string, r *spec.Router) *routing {
	rt := &routing{builder: b, name: name, owner: Mark(routerOwner(name)), r: r, many: len(r.Ways()) > 1}
	for k, way := range slices.Sorted(maps.Keys(r.Ways())) {
		if w, ok := b.lay.way(name, way, r.Ways()[way]); ok {
			w.mark = firstTable + k
			rt.ways = append(rt.ways, w)
		}
	}
	return rt
}

// firstTable is the routing table, and the mark, of the first of several uplinks.
const firstTable = 101

// way finds out what an uplink is on; ok is false when that is not there.
func (l *layout) way(router, name string, u *spec.Uplink) (w way, ok bool) {
	w = way{name: name, u: u, addresses: l.uplinkAddresses(router, name, u)}
	gateways, _ := u.Gateway.List()
	if got, ok := l.facts.Acquired[router+"/"+name]; ok && u.DHCP && got.Gateway.IsValid() {
		gateways = append(gateways, got.Gateway)
	}
	for _, g := range gateways {
		if l.has(g) {
			w.gateways = append(w.gateways, g)
		}
	}
	switch {
	case u.Host != "":
		w.mtu = mtuOr(u.MTU, 1500)
		return w, true
	case u.NIC != "":
		nic, there := l.facts.Links[u.NIC]
		w.mtu = mtuOr(u.MTU, nic.MTU)
		return w, there
	case u.Bridge != "":
		w.bridge, w.mtu = u.Bridge, mtuOr(u.MTU, l.lanMTU(u.Bridge))
		return w, l.bridge(u.Bridge)
	}
	n := l.live.Networks[u.Network]
	if n == nil {
		return w, false
	}
	w.bridge, w.mtu = n.Bridge.Name, mtuOr(u.MTU, l.mtu(n))
	return w, l.bridge(w.bridge)
}

func mtuOr(written, other int) int {
	if written != 0 {
		return written
	}
	return other
}

// lanMTU is the MTU of a bridge of the host: what is declared, else that of its
// NICs. The bridge itself follows the smallest of its ports, ours among them.
func (l *layout) lanMTU(bridge string) int {
	if hb := l.live.Bridges[bridge]; hb != nil && hb.MTU != 0 {
		return hb.MTU
	}
	least := 0
	for _, port := range l.facts.Links {
		if port.Master == bridge && port.Owner() == "" && port.MTU > 0 && (least == 0 || port.MTU < least) {
			least = port.MTU
		}
	}
	return mtuOr(least, l.facts.Links[bridge].MTU)
}

// mtu is the MTU of what is plugged into a network's bridge.
func (l *layout) mtu(n *spec.Network) int {
	if n.Mode == spec.Bridge {
		return l.lanMTU(n.Bridge.Name)
	}
	return mtuOr(n.Bridge.MTU, 1500)
}

// pair wants the two ends by which the router is plugged into a bridge, or, when
// there is none, linked to the host. What each end sends may be limited.
func (rt *routing) pair(link, master string, mac spec.MAC, mtu int, in, out spec.Limit) {
	host, inside := HostEnd(rt.name, link), rt.mac(link, mac)
	rt.want.Add(
		Link{Mark: rt.owner, Name: host, Type: "veth", MAC: inside, MTU: mtu, Master: master, Peer: link, PeerNS: rt.name},
		Link{Mark: rt.owner, NS: rt.name, Name: link, Type: "veth", MAC: inside, MTU: mtu, Peer: host},
		Up{Mark: rt.owner, Link: host},
		Up{Mark: rt.owner, NS: rt.name, Link: link})
	rt.shape("", host, in)
	rt.shape(rt.name, link, out)
	if master != "" && rt.facts.IPv6 {
		// As for a guest's port: the host must not talk from its end.
		rt.want.Add(Sysctl{Mark: rt.owner, Family: "ipv6", Link: host, Name: "disable_ipv6", Value: "1"})
	}
}

func (rt *routing) shape(ns, link string, l spec.Limit) {
	if l.Rate > 0 {
		rt.want.Add(newShape(rt.owner, ns, link, l))
	}
}

// mac is the address of an interface, which outlives the namespace.
func (rt *routing) mac(link string, written spec.MAC) spec.MAC {
	if !written.IsZero() {
		return written
	}
	return spec.GenerateMAC(fmt.Sprintf("%s/router/%s/%s", rt.facts.HostID, rt.name, link))
}

// inner wants an interface on a network.
func (rt *routing) inner(e *end) {
	limit := e.bandwidth() // as the guests see it
	rt.pair(e.link, e.n.Bridge.Name, e.i.MAC, rt.lay.mtu(e.n), limit.Out, limit.In)
	rt.settings(e.link, e.subnets, false)
	for _, p := range e.subnets {
		rt.want.Add(Addr{Mark: rt.owner, NS: rt.name, Link: e.link, Prefix: p})
	}
	rt.innerRows(e)
	rt.policyChains(e)
}

// outer wants an uplink.
func (rt *routing) outer(w way) {
	var limit spec.Bandwidth // in is from the outside
	if w.u.Bandwidth != nil {
		limit = *w.u.Bandwidth
	}
	if w.u.NIC != "" {
		rt.want.Add(
			Link{Mark: rt.owner, NS: rt.name, Name: w.name, Type: "macvlan", MAC: rt.mac(w.name, w.u.MAC), MTU: w.mtu, Lower: w.u.NIC},
			Up{Mark: rt.owner, NS: rt.name, Link: w.name})
		rt.shape(rt.name, w.name, limit.Out)
	} else {
		rt.pair(w.name, w.bridge, w.u.MAC, w.mtu, limit.In, limit.Out)
	}
	rt.settings(w.name, w.addresses, w.u.SLAAC)
	for _, p := range w.addresses {
		rt.want.Add(Addr{Mark: rt.owner, NS: rt.name, Link: w.name, Prefix: p})
	}
	rt.row("held4", w.name, "")
	rt.row("held6", w.name, "")
	if w.u.Host != "" {
		rt.hostLink(w)
	}
}

// hostLink wants what the host has of a link to a router: the same as of a
// network in mode nat or route.
func (rt *routing) hostLink(w way) {
	e := rt.lay.links[place{"", HostEnd(rt.name, w.name)}]
	rt.want.Add(Program{Fingerprint: rt.facts.Program})
	rt.rows(rt.owner, e)
	rt.policyChains(e)
	rt.builder.settings(rt.owner, e)
	for _, p := range e.subnets {
		rt.want.Add(Addr{Mark: rt.owner, Link: e.link, Prefix: p})
	}
}

// row wants an element in the router's namespace.
func (rt *routing) row(set, id, value string) {
	rt.want.Add(Element{Mark: rt.owner, NS: rt.name, Map: set, ID: id, Value: value})
}

func (rt *routing) set(family, link, name, value string) {
	rt.want.Add(Sysctl{Mark: rt.owner, NS: rt.name, Family: family, Link: link, Name: name, Value: value})
}

// settings wants the sysctls of an interface; see builder.settings for the reasons.
func (rt *routing) settings(link string, addresses []netip.Prefix, slaac bool) {
	rt.set("ipv4", link, "forwarding", "1")
	rt.set("ipv4", link, "arp_ignore", "1")
	rt.set("ipv4", link, "arp_announce", "2")
	rt.set("ipv4", link, "promote_secondaries", "1")
	if rt.many {
		// Answers leave by the uplink the question came in by, whatever the route
		// back to its source says.
		rt.set("ipv4", link, "rp_filter", "0")
		// A NIC that has lost its carrier leads nowhere: the next uplink's turn.
		rt.set("ipv4", link, "ignore_routes_with_linkdown", "1")
	}
	if !rt.facts.IPv6 {
		return
	}
	v6 := slaac || slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	rt.set("ipv6", link, "disable_ipv6", map[bool]string{true: "0", false: "1"}[v6])
	if !v6 {
		return
	}
	rt.set("ipv6", link, "accept_ra", map[bool]string{true: "2", false: "0"}[slaac])
	rt.set("ipv6", link, "autoconf", map[bool]string{true: "1", false: "0"}[slaac])
	rt.set("ipv6", link, "accept_dad", "0")
	rt.set("ipv6", link, "forwarding", "1")
	if rt.many {
		rt.set("ipv6", link, "ignore_routes_with_linkdown", "1")
	}
	if rt.facts.ForceIPv6 {
		rt.set("ipv6", link, "force_forwarding", "1")
	}
}
