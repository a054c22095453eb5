package lab

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// end is one end of a connection, as policies see it.
type end struct {
	net     *network // nil = outside of all networks
	addr    netip.Addr
	outside bool
}

// guestEnd is a guest as policies see it; hosts of a LAN are the outside.
func guestEnd(n *network, s seat, f family) end {
	if n.lan() {
		return end{addr: s.addr.addr(f), outside: true}
	}
	return end{net: n, addr: s.addr.addr(f)}
}

// outsideEnd is a host outside.
func outsideEnd(a netip.Addr) end { return end{addr: a, outside: true} }

// decision is what the policies say about a connection.
type decision int

const (
	undecided decision = iota
	allowed
	refused
)

// decide asks the policies, the most important one first.
func (l *layout) decide(from, to end, t traffic) decision {
	for _, name := range l.policies() {
		p := l.spec.Policies[name]
		if !l.is(p.From, from) || !l.is(p.To, to) {
			continue
		}
		switch {
		case anyFits(p.Deny, to, t), anyFits(p.Reject, to, t):
			return refused
		case anyFits(p.Allow, to, t):
			return allowed
		}
	}
	return undecided
}

// policies names all policies in the order in which they are asked.
func (l *layout) policies() []string {
	names := slices.Sorted(maps.Keys(l.spec.Policies))
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(l.priority(a), l.priority(b)) })
	return names
}

func (l *layout) priority(policy string) int {
	return cmp.Or(l.spec.Policies[policy].Priority, spec.DefaultPriority)
}

// is reports whether an end is one of the parties.
func (l *layout) is(parties spec.Parties, e end) bool {
	list, _ := parties.Parse()
	return slices.ContainsFunc(list, func(p spec.Party) bool {
		switch p.Kind {
		case spec.PartyAny:
			return true
		case spec.PartyOutside:
			return e.outside
		case spec.PartyNetwork, spec.PartyGuests:
			return e.net != nil && e.net.name == p.Name
		case spec.PartyPrefix:
			return p.Prefix.Contains(e.addr)
		case spec.PartySet:
			set := l.spec.Sets[p.Name]
			return set != nil && within(set.Addresses, e.addr)
		}
		return false // gateways and routers are nobody's guests
	})
}

func within(p spec.Prefixes, a netip.Addr) bool {
	list, _ := p.List()
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

func anyFits(list []spec.Traffic, to end, t traffic) bool {
	return slices.ContainsFunc(list, func(kind spec.Traffic) bool { return fits(kind, to, t) })
}

// fits reports whether a connection is of a kind.
func fits(kind spec.Traffic, to end, t traffic) bool {
	if kind.Protocol != "" && testhost.Proto(kind.Protocol) != t.proto || kind.To != "" && !within(kind.To, to.addr) {
		return false
	}
	ports, _ := kind.Ports.List()
	if len(ports) == 0 {
		return true
	}
	return t.proto != testhost.ICMP && slices.ContainsFunc(ports, func(r spec.PortRange) bool { return r.From <= t.port && t.port <= r.To })
}

// samples are connections of a kind that the test hosts can open: one for each
// protocol, to the first port.
func samples(kind spec.Traffic) (list []traffic) {
	all := everything
	if ports, _ := kind.Ports.List(); len(ports) > 0 {
		all = []traffic{{testhost.TCP, ports[0].From}, {testhost.UDP, ports[0].From}}
	}
	for _, t := range all {
		if kind.Protocol == "" || testhost.Proto(kind.Protocol) == t.proto {
			list = append(list, t)
		}
	}
	return list
}

// kindName names a kind for the table: "tcp/443".
func kindName(kind spec.Traffic) string {
	name := cmp.Or(string(kind.Protocol), "port")
	if kind.Ports != "" {
		name += "/" + string(kind.Ports)
	}
	return name
}

// special reports whether a kind is not what every question asks anyway.
func special(kind spec.Traffic) bool { return kind.Protocol != "" || kind.Ports != "" }

// policed adds what the policies say about single protocols and ports. What they
// say about everything is in the rows of everything.
func (s *sheet) policed() {
	for _, name := range s.d.policies() {
		p := s.d.spec.Policies[name]
		for _, kind := range slices.Concat(p.Deny, p.Reject, p.Allow) {
			if !special(kind) {
				continue
			}
			for _, from := range s.d.parties(p.From) {
				for _, to := range s.d.parties(p.To) {
					s.judged(name, kind, from, to)
				}
			}
		}
	}
}

// parties are the networks that the parties name, and nil for the outside, or a part
// of it where the test hosts are.
func (l *layout) parties(p spec.Parties) (list []*network) {
	parsed, _ := p.Parse()
	for _, party := range parsed {
		if n := l.find(party.Network()); n != nil && party.Kind != spec.PartyGateway {
			list = append(list, n)
		}
		if l.is(spec.Parties(party.String()), outsideEnd(outsideAddr.addr(v4))) && party.Kind != spec.PartyAny {
			list = append(list, nil)
		}
	}
	return list
}

// judged adds a row for one kind of traffic of a policy, in the column of the
// network that is its business.
func (s *sheet) judged(policy string, kind spec.Traffic, from, to *network) {
	row := fmt.Sprintf("policy %s: %s", policy, kindName(kind))
	for _, f := range families {
		switch {
		case from == to || from != nil && !from.seats[0].addr.has(f) || to != nil && !to.seats[0].addr.has(f):
		case to == nil:
			s.ask(row+" → outside", from, f, samples(kind), s.d.outbound(from, f), func(t traffic) string { return s.d.toOutside(from, from.seats[0], f, t) })
		case from == nil:
			q := s.d.inward(to, f)
			s.ask(row+" from outside", to, f, samples(kind), q, func(t traffic) string { return s.d.fromOutside(q.from.addr.addr(f), to, to.seats[0], t) })
		default:
			s.ask(row+" → "+to.name, from, f, samples(kind), s.d.to(to.guests[0], f, from.guests[0]), func(t traffic) string { return s.d.between(from, to, f, t) })
		}
	}
}

// permitted adds what a network is allowed of the outside where that is a list.
func (s *sheet) permitted(n *network, f family) {
	if n.face == nil {
		return
	}
	for _, kind := range n.face.Allow {
		if special(kind) {
			s.ask("egress: "+kindName(kind)+" → outside", n, f, samples(kind), s.d.outbound(n, f),
				func(t traffic) string { return s.d.toOutside(n, n.seats[0], f, t) })
		}
	}
}
