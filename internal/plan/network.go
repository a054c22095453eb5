package plan

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// network wants everything a managed network consists of: its rows in the packet
// program, the bridge, its settings, addresses and routes.
func (b *builder) network(name string, n *spec.Network) {
	owner, br := Mark("network/"+name), n.Bridge.Name
	b.want.Add(
		Program{Fingerprint: b.facts.Program},
		Link{Mark: owner, Name: br, Type: "bridge", MAC: b.networkMAC(name, n), MTU: b.mtu(n), STP: n.Bridge.STP, ForwardDelay: n.Bridge.ForwardDelay},
		Up{Mark: owner, Link: br})
	e := b.lay.links[place{"", br}]
	b.rows(owner, e)
	b.policyChains(e)
	b.capNetwork(e)
	b.settings(owner, e)
	b.limits(name, n)
	for _, s := range n.Subnets {
		if b.has(s.Address.Addr()) {
			b.want.Add(Addr{Mark: owner, Link: br, Prefix: s.Address})
		}
	}
	for _, r := range n.Routes {
		if b.has(r.Via) {
			b.want.Add(Route{Mark: owner, Dst: r.To.Masked(), Via: r.Via, Link: br, Metric: metric(r)})
		}
	}
}

// metric is the metric as it is observed: the kernel gives an IPv6 route without
// one 1024 (IP6_RT_PRIO_USER), so that 1024 means none.
func metric(r spec.StaticRoute) int {
	if r.To.Addr().Is6() && r.Metric == 1024 {
		return 0
	}
	return r.Metric
}

// rows wants the elements of a network, or of a link to a router, in the maps of
// the packet program. What each map means is told in docs/packet-path.md.
func (b *builder) rows(owner Mark, e *end) {
	n, br := e.n, e.link
	row := func(set, id, value string) { b.want.Add(Element{Mark: owner, Map: set, ID: id, Value: value}) }
	row("bridges", br, "")
	row("segments", br+" . "+br, "")
	row("from", br, "jump from_"+e.from)
	row("to", br, "jump to_"+e.to)
	if chain := inputChain(n); chain != "" {
		row("input", br, "jump "+chain)
	}
	for _, s := range n.Subnets {
		row("gateways"+family(s.Address.Addr()), s.Address.Addr().String(), "")
	}
	if n.Mode == spec.NAT {
		b.natSource(owner, e)
	}
	if n.Uplink != "" {
		row("pinned", br, "")
		row("egress", br+" . "+n.Uplink, "")
	}
}

// inputChain names the chain that judges what guests send to the host itself;
// the host's own firewall alone judges open networks.
func inputChain(n *spec.Network) string {
	switch {
	case n.Mode == spec.Open && n.Connections > 0:
		return "in_open"
	case n.Mode == spec.Open:
		return ""
	case n.Mode != spec.Isolated:
		return "in_network"
	case len(n.Subnets) == 0:
		return "in_silent"
	}
	return "in_isolated"
}

// settings wants the sysctls of the network's bridge, or of a link to a router.
func (b *builder) settings(owner Mark, e *end) {
	n, forwards := e.n, e.forwards()
	set := func(family, name string, on bool, yes, no string) {
		value := no
		if on {
			value = yes
		}
		b.want.Add(Sysctl{Mark: owner, Family: family, Link: n.Bridge.Name, Name: name, Value: value})
	}
	v4, v6 := hasFamily(n, "4"), hasFamily(n, "6")
	set("ipv4", "forwarding", v4 && forwards, "1", "0")
	// Linux answers ARP for every address of the host on every link. Answer for
	// this link's own addresses only (1), or not at all where it has none (8).
	set("ipv4", "arp_ignore", v4, "1", "8")
	set("ipv4", "arp_announce", true, "2", "")
	// Without it the kernel takes an address along with the one it came after, so
	// that replacing the gateway address would leave the network without any.
	set("ipv4", "promote_secondaries", true, "1", "")
	if on := b.lay.fromLoopback(e, netip.Addr.Is4); on || b.facts.LocalNet[e.link] {
		// Connections from 127.0.0.1 to a forward leave by the bridge; the program
		// drops what guests send there.
		set("ipv4", "route_localnet", on, "1", "0")
	}
	if b.facts.IPv6 {
		set("ipv6", "disable_ipv6", v6, "0", "1")
	}
	if !v6 || !b.facts.IPv6 {
		return
	}
	// The bridge is a router's interface: it must not take addresses and routes
	// from a guest's advertisements, and its addresses need no probing (an empty
	// bridge has no carrier, so duplicate detection would never end).
	set("ipv6", "accept_ra", false, "", "0")
	set("ipv6", "autoconf", false, "", "0")
	set("ipv6", "accept_dad", false, "", "0")
	set("ipv6", "forwarding", forwards, "1", "0")
	if b.facts.ForceIPv6 {
		set("ipv6", "force_forwarding", forwards, "1", "0")
	}
	if b.lay.fromLoopback(e, netip.Addr.Is6) {
		b.want.Add(answersToLoopback(owner, e.link))
	}
}

// answersToLoopback is the route_localnet of IPv6: answers to ::1 come in by the
// bridge, and the kernel takes a loopback address only where a route of that very
// link says so. Each bridge has its own beside the kernel's, which goes first.
func answersToLoopback(owner Mark, link string) Route {
	const tableLocal = 255
	return Route{Mark: owner, Table: tableLocal, Type: "local", Dst: netip.PrefixFrom(netip.IPv6Loopback(), 128), Link: link}
}

// forwards reports whether anything may pass from or to the end.
func (e *end) forwards() bool { return e.from != judgeIsolated || e.to != judgeIsolated }

// capNetwork wants the limit on connections of a network's guests.
func (b *builder) capNetwork(e *end) {
	if e.n.Connections > 0 && (e.forwards() || len(e.subnets) > 0) {
		b.chain(e, "caps", []string{capRule(e.n.Connections)})
	}
}

// uplinks wants forwarding on the interfaces by which networks leave, and only
// there. The kernel asks the interface a packet comes in by, so an uplink needs
// it for the answers. An uplink on which it was off before is held: it forwards
// to and from our networks only.
func (b *builder) uplinks() {
	for _, link := range b.leaving("4", b.facts.Uplinks4) {
		if !b.facts.Forwards4 {
			b.borrow("ipv4", link, "forwarding", "1", "held4", link)
		}
	}
	if b.routes6() && (!b.facts.Forwards6 || b.borrowedAll6()) {
		b.uplinks6(b.leaving("6", b.facts.Uplinks6))
	}
}

func (b *builder) uplinks6(links []string) {
	for _, link := range b.facts.Uplinks6 {
		// A link that forwards already takes no advertisements, but on an old
		// kernel it may do so because of us.
		if !b.facts.ForceIPv6 || b.facts.before("net/ipv6/conf/"+link+"/forwarding") == "0" {
			b.keepLearning(link)
		}
	}
	switch {
	case b.facts.ForceIPv6:
		for _, link := range links {
			b.borrow("ipv6", link, "force_forwarding", "1", "held6", link)
		}
	case len(links) > 0:
		b.forwardAll6()
	}
}

// routes6 reports whether a bridge of ours becomes an IPv6 router's interface.
func (b *builder) routes6() bool {
	return slices.ContainsFunc(b.lay.order, func(e *end) bool { return e.ns == "" && e.forwards() && hasFamily(e.n, "6") })
}

// keepLearning lets a link that learns its default route from advertisements go
// on doing so (accept_ra=2). Switching IPv6 forwarding on for any interface, a
// new bridge too, makes the kernel drop the learned default routes of the whole
// namespace but for those links (rt6_purge_dflt_routers), and a link that
// forwards takes no advertisements otherwise.
func (b *builder) keepLearning(link string) {
	if b.facts.before("net/ipv6/conf/"+link+"/accept_ra") == "1" {
		b.borrow("ipv6", link, "accept_ra", "2", "", "")
	}
}

// forwardAll6 is for kernels before 6.17, which forward IPv6 for the whole host
// or not at all: every interface that is not ours is held, and those that learn
// addresses or routes from advertisements go on doing so.
func (b *builder) forwardAll6() {
	b.borrow("ipv6", "all", "forwarding", "1", "", "")
	for name := range b.facts.Links {
		if !b.facts.ofNetwork(name) && b.facts.Links[name].Type != "loopback" {
			b.keepLearning(name)
			b.hold("held6", name)
		}
	}
	for name := range sorted(b.live.Bridges) { // one that is made in this pass forwards at once
		b.want.Add(Element{Mark: "host", Map: "held6", ID: name})
	}
}

func (b *builder) borrowedAll6() bool {
	_, ok := b.facts.Borrowed["net/ipv6/conf/all/forwarding"]
	return ok
}

func (b *builder) borrow(family, link, name, value, held, id string) {
	s := Sysctl{Mark: "host", Family: family, Link: link, Name: name, Value: value, Foreign: true}
	before := b.facts.before(s.Path())
	if before == "" {
		return // the kernel has no such setting for this link, for instance IPv6 is off
	}
	b.want.Add(s)
	if held != "" && before != value {
		b.hold(held, id)
	}
}

// hold makes an uplink forward to and from our networks only. A bridge's own
// frames pass the same hooks where br_netfilter runs: they are no forwarding,
// unless they are sent to the bridge's own address.
func (b *builder) hold(set, link string) {
	b.want.Add(Element{Mark: "host", Map: set, ID: link})
	l := b.facts.Links[link]
	if l.Type == "bridge" {
		b.want.Add(Element{Mark: "host", Map: "segments", ID: link + " . " + link})
	}
	if l.Type == "bridge" && !l.MAC.IsZero() {
		b.want.Add(Element{Mark: "host", Map: "routers", ID: link + " . " + l.MAC.String()})
	}
}

// leaving lists the uplinks that networks of a family leave by: those they are
// pinned to, and the default routes' for the others.
func (b *builder) leaving(fam string, defaults []string) []string {
	seen, links := map[string]bool{}, []string{}
	use := func(link string) {
		if _, there := b.facts.Links[link]; there && !seen[link] {
			seen[link], links = true, append(links, link)
		}
	}
	for _, e := range b.lay.order {
		switch {
		case e.ns != "" || !b.lay.leaves(e) || !hasFamily(e.n, fam):
		case e.n.Uplink != "":
			use(e.n.Uplink)
		default:
			for _, link := range defaults {
				use(link)
			}
		}
	}
	return links
}

func hasFamily(n *spec.Network, fam string) bool {
	for _, s := range n.Subnets {
		if family(s.Address.Addr()) == fam {
			return true
		}
	}
	return false
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "4"
	}
	return "6"
}

func defaultOf(via netip.Addr) netip.Prefix {
	if via.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}
