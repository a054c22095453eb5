package plan

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// layout tells how the live objects hang together: which network meets the host,
// or a router, by which link. It is what Build, the services, the judge of flows
// and the matrix of policies have in common.
type layout struct {
	live    *spec.Spec
	facts   Facts
	bridges map[string]bool   // names of bridges that will be there and are ours
	ends    map[string][]*end // by network: the host's first, then those of routers by name
	links   map[place]*end    // the same by link, with the links between host and routers
	order   []*end            // all of them: the host's, then the routers'
	rules   []rule            // of all policies, in the order in which they decide
	opened  map[string]bool   // isolated networks that a policy, peer or forward names

	back     []wayBack                          // see waysBack
	peersOf  map[string][]string                // networks that name one as their peer
	forwards map[string][]*spec.Forward         // by the network they lead to
	guests   map[string]map[string][]netip.Addr // see fixed
	ports    map[string][]string                // see portsOf
	nics     map[string]string                  // see nicOf
}

// end is where a network meets the host or a router, whose address is the gateway
// there; or where a router meets the host, which treats it as a network.
type end struct {
	network string        // "" for a link between host and router
	n       *spec.Network // such a link is described as a network, too
	ns      string        // "" = the host; else the router
	link    string        // the bridge, or the interface in the router
	router  string        // whose link it is; "" = the host's
	i       *spec.Interface
	subnets []netip.Prefix // addresses of the host or router, of families that the kernel has
	behind  []netip.Prefix // what is reached by way of the network's guests
	back    []netip.Prefix // networks behind routers whose uplink is here
	from    string         // chain that judges what comes from it: isolated, closed, nat, route, open
	to      string         // the same for what goes to it
}

func newLayout(live *spec.Spec, facts Facts) *layout {
	l := &layout{
		live: live, facts: facts, bridges: map[string]bool{}, ends: map[string][]*end{}, links: map[place]*end{}, opened: map[string]bool{},
		peersOf: map[string][]string{}, forwards: map[string][]*spec.Forward{}, guests: map[string]map[string][]netip.Addr{},
	}
	for _, f := range sorted(live.Forwards) {
		l.forwards[f.Network] = append(l.forwards[f.Network], f)
	}
	for name, n := range sorted(live.Networks) {
		for _, peer := range n.Peers {
			l.peersOf[peer] = append(l.peersOf[peer], name)
		}
	}
	l.attach()
	l.back = l.waysBack()
	for _, w := range l.back {
		w.at.back = append(w.at.back, w.to)
	}
	l.rules = l.parse()
	l.open()
	for _, e := range l.order {
		e.from, e.to = l.chains(e)
	}
	return l
}

// attach finds all ends.
func (l *layout) attach() {
	live := l.live
	for name := range sorted(live.Bridges) {
		l.bridges[name] = true
	}
	for name, n := range sorted(live.Networks) {
		if n.Mode != spec.Bridge {
			l.bridges[n.Bridge.Name] = true
			l.add(l.hostEnd(name, n))
		}
	}
	for name, r := range sorted(live.Routers) {
		for way, u := range sorted(r.Ways()) {
			if u.Host != "" {
				l.add(l.linkEnd(name, way, u))
			}
		}
	}
	for name, r := range sorted(live.Routers) {
		for k := range r.Interfaces {
			if i := &r.Interfaces[k]; l.runs(i.Network) {
				l.add(l.routerEnd(name, i))
			}
		}
	}
}

func (l *layout) add(e *end) {
	l.order = append(l.order, e)
	l.links[place{e.ns, e.link}] = e
	if e.network != "" {
		l.ends[e.network] = append(l.ends[e.network], e)
	}
}

func (l *layout) hostEnd(name string, n *spec.Network) *end {
	e := &end{network: name, n: n, link: n.Bridge.Name}
	e.subnets = l.known(n.Subnets)
	for _, r := range n.Routes {
		e.behind = append(e.behind, r.To.Masked())
	}
	return e
}

// linkEnd is the host's end of the link to a router, as if it were the bridge of
// a network on which the host has the uplink's gateway.
func (l *layout) linkEnd(router, way string, u *spec.Uplink) *end {
	n := &spec.Network{Mode: spec.Route, Bridge: spec.BridgeSettings{Name: HostEnd(router, way), MTU: u.MTU}}
	if u.Host == spec.HostNAT {
		n.Mode = spec.NAT
	}
	addresses := prefixes(u.Address)
	gateways, _ := u.Gateway.List()
	for _, g := range gateways {
		i := slices.IndexFunc(addresses, func(p netip.Prefix) bool { return p.Contains(g) })
		if i >= 0 {
			n.Subnets = append(n.Subnets, spec.Subnet{Address: netip.PrefixFrom(g, addresses[i].Bits())})
		}
	}
	return &end{n: n, link: n.Bridge.Name, router: router, subnets: l.known(n.Subnets)}
}

func (l *layout) routerEnd(router string, i *spec.Interface) *end {
	return &end{network: i.Network, n: l.live.Networks[i.Network], ns: router, link: i.Name, router: router, i: i, subnets: l.known(i.Gateways())}
}

// known are the addresses of subnets of families that the kernel has.
func (l *layout) known(subnets []spec.Subnet) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range subnets {
		if s.Address.IsValid() && l.has(s.Address.Addr()) {
			list = append(list, s.Address)
		}
	}
	return list
}

// has reports whether the kernel knows the address's family.
func (l *layout) has(a netip.Addr) bool { return a.Is4() || l.facts.IPv6 }

// runs reports whether a network is there to be plugged into.
func (l *layout) runs(network string) bool {
	n := l.live.Networks[network]
	return n != nil && l.bridge(n.Bridge.Name)
}

// bridge reports whether a bridge will be there: we want it, or it is somebody
// else's. One of ours that is not wanted is about to go.
func (l *layout) bridge(name string) bool {
	if _, kept := l.facts.Kept.Link("", name); kept || l.bridges[name] {
		return true
	}
	have := l.facts.Links[name]
	return have.Type == "bridge" && have.Owner() == ""
}

// gateway is the end that routes for a network: the host's where it has an address
// there, else the first router's. The router that is named goes before, if it is
// there; nil = none.
func (l *layout) gateway(network, router string) *end {
	var first *end
	for _, e := range l.ends[network] {
		switch {
		case len(e.subnets) == 0:
		case router != "" && e.router == router:
			return e
		case first == nil && router == "":
			first = e
		}
	}
	return first
}

// prefixes reads what validation has read before.
func prefixes(p spec.Prefixes) []netip.Prefix {
	list, _ := p.List()
	return list
}

// egress is how the network leaves the router.
func (e *end) egress() spec.Egress {
	if e.i == nil || e.i.Egress == "" {
		return spec.EgressNone
	}
	return e.i.Egress
}
