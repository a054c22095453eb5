package plan

import (
	"fmt"
	"net/netip"

	"kvmnet/internal/spec"
)

// innerRows wants the elements of an interface in the maps of the packet program,
// which are those of a network on the host.
func (rt *routing) innerRows(e *end) {
	rt.row("bridges", e.link, "")
	rt.row("segments", e.link+" . "+e.link, "")
	rt.row("from", e.link, "jump from_"+e.from)
	rt.row("to", e.link, "jump to_"+e.to)
	input := "in_network"
	switch {
	case len(e.subnets) == 0:
		input = "in_silent"
	case e.egress() == spec.EgressNone:
		input = "in_isolated"
	}
	rt.row("input", e.link, "jump "+input)
	for _, p := range e.subnets {
		rt.row("gateways"+family(p.Addr()), p.Addr().String(), "")
	}
	if e.n.Isolated {
		// All that comes in here is sent to the router: none of it is bridged.
		rt.row("routers", e.link+" . "+rt.mac(e.link, e.i.MAC).String(), "")
	}
	rt.sources(e)
	rt.caps(e)
	if e.i.Uplink != "" && e.i.KillSwitch {
		rt.row("pinned", e.link, "")
		rt.row("egress", e.link+" . "+e.i.Uplink, "")
	}
}

// sources wants what the guests of an interface leave with.
func (rt *routing) sources(e *end) {
	snat := e.i.SNAT
	switch {
	case e.egress() == spec.EgressMasquerade, e.egress() == spec.EgressSNAT && snat == nil:
		snat = &spec.SNAT{}
	case e.egress() != spec.EgressSNAT:
		return
	}
	var rules []string
	for _, fam := range []struct {
		addresses   spec.AddrRange
		name, match string
	}{
		{snat.Address, "4", translated4},
		{snat.IPv6, "6", translated6},
	} {
		switch {
		case fam.name == "6" && !rt.facts.IPv6:
		case fam.addresses.IsZero():
			rt.row("masquerade"+fam.name, e.link, "")
		default:
			comment := fmt.Sprintf("egress/%s/%s snat 0", e.router, e.link)
			rules = append(rules, snatRules(fam.match, fam.addresses, snat.Ports, comment)...)
			rt.holdSources(e, fam.addresses)
		}
	}
	rt.chain(e, "source", rules)
}

// snatRules rewrite sources to addresses, and to ports of a range where the
// protocol has ports. They count: the first packet of each connection comes here.
func snatRules(match string, to spec.AddrRange, ports spec.PortRange, comment string) []string {
	word, one := "ip", netip.Addr.String
	if to.From.Is6() {
		word, one = "ip6", func(a netip.Addr) string { return "[" + a.String() + "]" }
	}
	var rules []string
	if !ports.IsZero() {
		rules = append(rules, fmt.Sprintf("%s meta l4proto { tcp, udp, sctp } counter snat %s to %s:%s fully-random comment %q", match, word, rangeText(to, one), ports, comment))
	}
	return append(rules, fmt.Sprintf("%s counter snat %s to %s fully-random comment %q", match, word, rangeText(to, netip.Addr.String), comment))
}

func rangeText(r spec.AddrRange, one func(netip.Addr) string) string {
	if r.From == r.To {
		return one(r.From)
	}
	return one(r.From) + "-" + one(r.To)
}

// holdSources wants the chosen sources on the uplink, lest nobody there answer for
// them.
func (rt *routing) holdSources(e *end, sources spec.AddrRange) {
	n := 0
	for a := sources.From; a.IsValid() && a.Compare(sources.To) <= 0 && n < mostSources; a = a.Next() {
		rt.hold(a, e.i.Uplink)
		n++
	}
}

// mostSources bounds the addresses that one interface holds.
const mostSources = 1024

// hold wants an outside address on an uplink: that one, else the one whose segment
// it is of, else the first that leads everywhere.
func (rt *routing) hold(a netip.Addr, uplink string) {
	w, ok := rt.wayOf(a, uplink)
	if !ok || !rt.lay.has(a) {
		return
	}
	for _, p := range w.addresses {
		if p.Addr() == a {
			return
		}
	}
	rt.want.Add(heldAddr(rt.owner, place{rt.name, w.name}, a))
}

func (rt *routing) wayOf(a netip.Addr, uplink string) (way, bool) {
	var first *way
	for k := range rt.ways {
		w := &rt.ways[k]
		for _, p := range w.addresses {
			if uplink == "" && p.Contains(a) {
				return *w, true
			}
		}
		if uplink == w.name {
			return *w, true
		}
		if first == nil && uplink == "" && w.gateway(a).IsValid() {
			first = w
		}
	}
	switch {
	case first != nil:
		return *first, true
	case uplink == "" && len(rt.ways) > 0:
		return rt.ways[0], true
	}
	return way{}, false
}

// gateway is the next hop of the address's family.
func (w *way) gateway(of netip.Addr) netip.Addr {
	for _, g := range w.gateways {
		if g.Is4() == of.Is4() {
			return g
		}
	}
	return netip.Addr{}
}

// caps wants the limits on connections of an interface, and of the router as a
// whole, which all its interfaces count in one place.
func (rt *routing) caps(e *end) {
	var rules []string
	if n := connections(e); n > 0 {
		rules = append(rules, capRule(n))
	}
	if rt.r.Connections > 0 {
		rules = append(rules, "jump "+capAll)
	}
	rt.chain(e, "caps", rules)
}

func (rt *routing) cap() {
	if rt.r.Connections > 0 {
		rt.want.Add(NewChain(rt.owner, rt.name, capAll, capRule(rt.r.Connections)))
	}
}

// connections is the cap of an end: the interface's, else the network's.
func connections(e *end) int {
	if e.i != nil && e.i.Connections > 0 {
		return e.i.Connections
	}
	return e.n.Connections
}

// capAll is the chain that counts the connections of all interfaces. Its name
// sorts before those of the chains that jump to it, and what follows caps_ is
// longer than any name of an interface.
const capAll = "caps__all_interfaces"

func capRule(n int) string { return fmt.Sprintf("ct count over %d counter name capped drop", n) }
