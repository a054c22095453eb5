package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Party is one end of the connections that a policy is about.
type Party struct {
	Kind   PartyKind
	Name   string       // of the network, router or set
	Prefix netip.Prefix // of kind PartyPrefix
}

// PartyKind is a kind of party.
type PartyKind string

// The kinds of parties.
const (
	PartyNetwork PartyKind = "network" // lab: whoever is on the network
	PartyGuests  PartyKind = "guests"  // lab/guests: the addresses its guests have
	PartyGateway PartyKind = "gateway" // lab/gateway: the host or router on the network
	PartyRouter  PartyKind = "router"  // router/r1: the router itself, all its addresses
	PartySet     PartyKind = "set"     // set/office
	PartyPrefix  PartyKind = "prefix"  // 10.0.0.0/8
	PartyOutside PartyKind = Outside
	PartyAny     PartyKind = Any
)

// ParseParty reads a party.
func ParseParty(s string) (Party, error) {
	switch s {
	case "":
		return Party{}, fmt.Errorf("the party is missing")
	case Any, Outside:
		return Party{Kind: PartyKind(s)}, nil
	}
	if p, ok := parsePrefix(s); ok {
		return Party{Kind: PartyPrefix, Prefix: p}, nil
	}
	before, after, cut := strings.Cut(s, "/")
	switch {
	case !cut:
		return named(PartyNetwork, s)
	case before == "router":
		return named(PartyRouter, after)
	case before == "set":
		return named(PartySet, after)
	case before == "network":
		return named(PartyNetwork, after)
	case after == "guests":
		return named(PartyGuests, before)
	case after == "gateway":
		return named(PartyGateway, before)
	}
	return Party{}, partyAdvice(s, before, after)
}

func named(kind PartyKind, name string) (Party, error) {
	if err := CheckName(name); err != nil {
		return Party{}, err
	}
	return Party{Kind: kind, Name: name}, nil
}

func partyAdvice(s, before, after string) error {
	hint := "write a network, NETWORK/guests, NETWORK/gateway, router/NAME, set/NAME, an address or prefix, outside or any"
	if near := Nearest(after, []string{"guests", "gateway"}); near != "" {
		hint = fmt.Sprintf("did you mean %s/%s?", before, near)
	} else if near := Nearest(before, []string{"router", "set", "network"}); near != "" {
		hint = fmt.Sprintf("did you mean %s/%s?", near, after)
	}
	return advise(hint, "%q is not a party of a policy", s)
}

// String prints the party as ParseParty reads it.
func (p Party) String() string {
	switch p.Kind {
	case PartyNetwork:
		if _, prefix := parsePrefix(p.Name); prefix || p.Name == Any || p.Name == Outside {
			return "network/" + p.Name
		}
		return p.Name
	case PartyGuests, PartyGateway:
		return p.Name + "/" + string(p.Kind)
	case PartyRouter, PartySet:
		return string(p.Kind) + "/" + p.Name
	case PartyPrefix:
		return printPrefix(p.Prefix)
	}
	return string(p.Kind)
}

// Network is the network that the party is on, "" for none.
func (p Party) Network() string {
	switch p.Kind {
	case PartyNetwork, PartyGuests, PartyGateway:
		return p.Name
	}
	return ""
}

// Compare orders parties, for listings.
func (p Party) Compare(o Party) int {
	return cmp.Or(cmp.Compare(p.Kind, o.Kind), cmp.Compare(p.Name, o.Name), cmp.Compare(p.Prefix.String(), o.Prefix.String()))
}

// Parse reads the parties; those that cannot be read are told in the error.
func (p Parties) Parse() ([]Party, error) {
	var list []Party
	for _, word := range p.List() {
		party, err := ParseParty(word)
		if err != nil {
			return list, err
		}
		list = append(list, party)
	}
	return list, nil
}

// parsePrefix reads an address or a prefix.
func parsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// printPrefix prints a prefix of full length as the address alone.
func printPrefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
