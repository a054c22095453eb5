package verify

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// This file reads what people wrote in policies: who may open what to whom.

// party is one end of a connection.
type party struct {
	network string // whose guest or gateway it is; "" = it is outside
	addr    netip.Addr

	gateway bool   // it is the host or router itself
	router  string // that the gateway is
	own     bool   // the gateway is that of the one who asks
}

// ask is a connection that somebody wants to open.
type ask struct {
	from, to party
	knock
}

// verdict is what policies say about a connection.
type verdict int

const (
	undecided verdict = iota // no policy is about it
	allowed
	refused
)

// rulebook is the policies in the order in which they decide.
type rulebook struct {
	policies []named
	sets     map[string]*spec.AddressSet
}

type named struct {
	name string
	*spec.Policy
}

func newRulebook(o Options) rulebook {
	b := rulebook{sets: o.Sets}
	for _, name := range slices.Sorted(maps.Keys(o.Policies)) {
		b.policies = append(b.policies, named{name, o.Policies[name]})
	}
	const usual = 100
	slices.SortStableFunc(b.policies, func(a, c named) int { return cmp.Compare(cmp.Or(a.Priority, usual), cmp.Or(c.Priority, usual)) })
	return b
}

// decide returns the verdict of the first policy that is about a connection, and
// the policy's name. In one policy deny and reject come before allow.
func (b rulebook) decide(a ask) (verdict, string) {
	for _, p := range b.policies {
		switch {
		case !b.among(p.From, a.from) || !b.among(p.To, a.to):
		case slices.ContainsFunc(slices.Concat(p.Deny, p.Reject), a.is):
			return refused, p.name
		case slices.ContainsFunc(p.Allow, a.is):
			return allowed, p.name
		}
	}
	return undecided, ""
}

// is reports whether the connection is of a kind.
func (a ask) is(t spec.Traffic) bool {
	ports, _ := t.Ports.List()
	named := func(r spec.PortRange) bool { return r.From <= a.dport() && a.dport() <= r.To }
	switch {
	case t.Protocol != "" && string(t.Protocol) != string(a.proto):
		return false
	case len(ports) > 0 && (a.proto == testhost.ICMP || !slices.ContainsFunc(ports, named)):
		return false
	}
	return t.To == "" || within(t.To, a.to.addr)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// among reports whether an end is one of the parties.
func (b rulebook) among(list spec.Parties, e party) bool {
	parties, _ := list.Parse()
	return slices.ContainsFunc(parties, func(p spec.Party) bool { return b.is(p, e) })
}

// is reports whether an end is a party. Guests need their own gateway for their
// addresses and names, so it is meant only where it is named.
func (b rulebook) is(p spec.Party, e party) bool {
	switch p.Kind {
	case spec.PartyGateway:
		return e.gateway && e.network == p.Name
	case spec.PartyRouter:
		return e.gateway && e.router == p.Name
	}
	if e.own {
		return false
	}
	switch p.Kind {
	case spec.PartyNetwork:
		return e.network == p.Name
	case spec.PartyGuests:
		return e.network == p.Name && !e.gateway
	case spec.PartyOutside:
		return e.network == ""
	case spec.PartyAny:
		return true
	case spec.PartyPrefix:
		return p.Prefix.Contains(e.addr)
	case spec.PartySet:
		return b.sets[p.Name] != nil && within(b.sets[p.Name].Addresses, e.addr)
	}
	return false
}

func within(list spec.Prefixes, a netip.Addr) bool {
	prefixes, _ := list.List()
	return contains(prefixes, a)
}

// most is how many ports are tried between two ends.
const most = 8

// knocks lists what to try from one end to another besides what is always tried:
// the first of the ports that policies about them name, and one they do not.
func (b rulebook) knocks(from, to party, usual ...knock) []knock {
	list := usual
	for _, p := range b.policies {
		if b.among(p.From, from) && b.among(p.To, to) {
			list = append(list, trafficKnocks(slices.Concat(p.Deny, p.Reject, p.Allow))...)
		}
	}
	return few(list)
}

// few drops what is there twice, and what is too much.
func few(list []knock) (out []knock) {
	for _, k := range list {
		if !slices.Contains(out, k) && len(out) < most {
			out = append(out, k)
		}
	}
	return out
}

// trafficKnocks are examples of kinds of traffic, and of TCP besides.
func trafficKnocks(kinds []spec.Traffic) (list []knock) {
	for _, t := range kinds {
		ports, _ := t.Ports.List()
		if len(ports) == 0 {
			ports = []spec.PortRange{{}}
		}
		for _, proto := range protocols(t) {
			list = append(list, knock{proto, ports[0].From})
		}
	}
	return append(list, knock{testhost.TCP, 0})
}

// protocols are those of a kind of traffic that test guests speak.
func protocols(t spec.Traffic) []testhost.Proto {
	switch t.Protocol {
	case spec.TCP:
		return []testhost.Proto{testhost.TCP}
	case spec.UDP:
		return []testhost.Proto{testhost.UDP}
	case spec.ICMP:
		return []testhost.Proto{testhost.ICMP}
	case "":
		return []testhost.Proto{testhost.TCP, testhost.UDP}
	}
	return nil
}
