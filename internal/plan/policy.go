package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// rule is what one line of a policy, or of what an interface may leave to, says of
// connections between two parties.
type rule struct {
	name     string // policy/web, egress/r1/eth0
	index    int    // of the line in its list
	verdict  ruling
	from, to spec.Party
	traffic  traffic
	log      bool
}

// ruling is what becomes of a connection. The order is the one in which a policy's
// lists decide.
type ruling int

const (
	deny ruling = iota
	reject
	allow
)

func (r ruling) String() string { return [...]string{"deny", "reject", "allow"}[r] }

// traffic is a kind of connection, read.
type traffic struct {
	protocol spec.Protocol
	ports    []spec.PortRange
	to       []netip.Prefix
}

func readTraffic(t spec.Traffic) traffic {
	ports, _ := t.Ports.List()
	return traffic{t.Protocol, joinPorts(ports), joinPrefixes(prefixes(t.To))}
}

// parse reads all policies, in the order in which they decide.
func (l *layout) parse() []rule {
	var list []rule
	names := slices.Collect(func(yield func(string) bool) {
		for name := range sorted(l.live.Policies) {
			if !yield(name) {
				return
			}
		}
	})
	priority := func(name string) int { return cmp.Or(l.live.Policies[name].Priority, spec.DefaultPriority) }
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(priority(a), priority(b)) })
	for _, name := range names {
		list = append(list, rulesOf("policy/"+name, l.live.Policies[name])...)
	}
	return list
}

func rulesOf(name string, p *spec.Policy) []rule {
	var list []rule
	from, _ := p.From.Parse()
	to, _ := p.To.Parse()
	for verdict, lines := range [][]spec.Traffic{p.Deny, p.Reject, p.Allow} {
		for index, t := range lines {
			for _, f := range from {
				for _, o := range to {
					list = append(list, rule{name, index, ruling(verdict), f, o, readTraffic(t), p.Log})
				}
			}
		}
	}
	return list
}

// allowed are the rules for what an interface may leave to.
func (e *end) allowed() []rule {
	if e == nil || e.i == nil || e.egress() == spec.EgressNone {
		return nil
	}
	var list []rule
	for index, t := range e.i.Allow {
		list = append(list, rule{"egress/" + e.router + "/" + e.link, index, allow,
			spec.Party{Kind: spec.PartyNetwork, Name: e.network}, spec.Party{Kind: spec.PartyOutside}, readTraffic(t), false})
	}
	return list
}

// side is what a party is to the packets of one namespace.
type side struct {
	end     *end // comes from, or goes to, this end
	outside bool // comes from, or goes to, no network of ours
	limited bool // only these addresses
	list    []netip.Prefix
	never   bool
}

// side tells what a party is in a namespace. A network that is not there is known
// by its addresses, if it leaves with them.
func (l *layout) side(p spec.Party, ns string) side {
	switch p.Kind {
	case spec.PartyAny:
		return side{}
	case spec.PartyOutside:
		return side{outside: true}
	case spec.PartyNetwork, spec.PartyGuests:
		here := l.at(p.Name, ns)
		switch {
		case here == nil:
			list := l.seenAs(p.Name)
			return side{limited: true, list: list, never: len(list) == 0}
		case p.Kind == spec.PartyNetwork:
			return side{end: here}
		}
		return side{end: here, limited: true, list: joinPrefixes(here.prefixes())}
	case spec.PartyGateway:
		if l.at(p.Name, ns) != nil {
			return side{never: true} // the host's or router's own: see linesIn
		}
	case spec.PartyRouter:
		return side{limited: true, list: l.routerSeenAs(p.Name), never: p.Name == ns}
	}
	return side{limited: true, list: l.addresses(p)}
}

// seenAs are the addresses by which others know a network.
func (l *layout) seenAs(network string) []netip.Prefix {
	var list []netip.Prefix
	for _, e := range l.ends[network] {
		if e.ns == "" || e.egress() == spec.EgressRoute {
			list = append(list, e.prefixes()...)
		}
	}
	return joinPrefixes(list)
}

// at is where a network is routed in a namespace, nil when it is not.
func (l *layout) at(network, ns string) *end {
	for _, e := range l.ends[network] {
		if e.ns == ns && (ns != "" || len(e.subnets) > 0) {
			return e
		}
	}
	return nil
}

// addresses are those of a party: for networks the subnets that their guests are
// in, for gateways and routers single ones.
func (l *layout) addresses(p spec.Party) []netip.Prefix {
	var list []netip.Prefix
	switch p.Kind {
	case spec.PartyNetwork, spec.PartyGuests:
		for _, e := range l.ends[p.Name] {
			list = append(list, e.prefixes()...)
		}
	case spec.PartyGateway:
		for _, e := range l.ends[p.Name] {
			list = append(list, singles(e.subnets)...)
		}
	case spec.PartyRouter:
		list = l.routerAddresses(p.Name)
	case spec.PartySet:
		if s := l.live.Sets[p.Name]; s != nil {
			list = prefixes(s.Addresses)
		}
	case spec.PartyPrefix:
		list = []netip.Prefix{p.Prefix}
	}
	return joinPrefixes(list)
}

// routerSeenAs are the addresses by which others know a router.
func (l *layout) routerSeenAs(router string) []netip.Prefix {
	list := l.routerUplinks(router)
	for _, e := range l.order {
		if e.ns == router && e.egress() == spec.EgressRoute {
			list = append(list, singles(e.subnets)...)
		}
	}
	return joinPrefixes(list)
}

// routerUplinks are the addresses of a router's uplinks.
func (l *layout) routerUplinks(router string) []netip.Prefix {
	var list []netip.Prefix
	if r := l.live.Routers[router]; r != nil {
		for way, u := range r.Ways() {
			list = append(list, singles(l.uplinkAddresses(router, way, u))...)
		}
	}
	return list
}

// routerAddresses are all that a router holds.
func (l *layout) routerAddresses(router string) []netip.Prefix {
	list := l.routerUplinks(router)
	for _, e := range l.order {
		if e.ns == router && router != "" {
			list = append(list, singles(e.subnets)...)
		}
	}
	return list
}

// uplinkAddresses are those of an uplink, with prefix length: what is written, and
// what it got by DHCP.
func (l *layout) uplinkAddresses(router, way string, u *spec.Uplink) []netip.Prefix {
	var list []netip.Prefix
	for _, p := range prefixes(u.Address) {
		if l.has(p.Addr()) {
			list = append(list, p)
		}
	}
	if got, ok := l.facts.Acquired[router+"/"+way]; ok && u.DHCP && got.Address.IsValid() {
		list = append(list, got.Address)
	}
	return list
}

// reaches reports whether any of the addresses can be behind the end.
func (e *end) reaches(s side) bool {
	if !s.limited || s.end == e {
		return true
	}
	return slices.ContainsFunc(slices.Concat(e.prefixes(), e.back), func(p netip.Prefix) bool { return overlapsAny(s.list, p) })
}

// prefixes are the subnets of the end's guests and what lies behind them.
func (e *end) prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range e.subnets {
		list = append(list, s.Masked())
	}
	return append(list, e.behind...)
}

// singles are the addresses alone.
func singles(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		out = append(out, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	return out
}

// joinPrefixes sorts prefixes and leaves out those that lie in others: nft takes
// no intervals that overlap.
func joinPrefixes(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	sortedList := slices.Clone(list)
	for i := range sortedList {
		sortedList[i] = sortedList[i].Masked()
	}
	slices.SortFunc(sortedList, netip.Prefix.Compare)
	for _, p := range sortedList {
		if n := len(out); n == 0 || !out[n-1].Overlaps(p) {
			out = append(out, p)
		}
	}
	return out
}

// joinPorts sorts ranges and puts together those that overlap.
func joinPorts(list []spec.PortRange) []spec.PortRange {
	ordered := slices.SortedFunc(slices.Values(list), func(a, b spec.PortRange) int { return cmp.Compare(a.From, b.From) })
	var out []spec.PortRange
	for _, r := range ordered {
		if n := len(out); n > 0 && r.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}
