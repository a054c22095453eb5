package spec

import (
	"slices"
)

// maxParties is how many ends one side of a policy may have.
const maxParties = 256

// policy checks one policy by itself and against what it names.
func (c *checker) policy(path, name string, p *Policy) {
	c.addError(path, "", CheckName(name))
	from, okFrom := c.parties(Field(path, "from"), p.From)
	to, okTo := c.parties(Field(path, "to"), p.To)
	if p.Priority < 0 || p.Priority > 10000 {
		c.add(Field(path, "priority"), "", "the priority %d is outside 1 to 10000", p.Priority)
	}
	ours := func(p Party) bool { return p.Kind == PartyNetwork || p.Kind == PartyGuests || p.Kind == PartyAny }
	if okFrom && okTo && !slices.ContainsFunc(from, ours) && !slices.ContainsFunc(to, ours) {
		c.add(path, "name a network of kvmnet in from or in to", "the policy is about no network: packets of others are not kvmnet's to judge")
	}
	if len(p.Deny)+len(p.Reject)+len(p.Allow) == 0 {
		c.add(path, "add allow: [{}] to permit everything, or deny: [{}]", "the policy neither allows nor denies anything")
	}
	c.traffics(Field(path, "deny"), p.Deny)
	c.traffics(Field(path, "reject"), p.Reject)
	c.traffics(Field(path, "allow"), p.Allow)
}

// parties checks one side of a policy and tells whether all its ends can be read.
func (c *checker) parties(path string, written Parties) ([]Party, bool) {
	list, err := written.Parse()
	switch {
	case c.addError(path, "", err) || !c.few(path, len(list), maxParties):
		return list, false
	case len(list) == 0:
		c.add(path, "write a network, outside or any", "the party is missing")
		return list, false
	}
	for i, p := range list {
		if slices.Contains(list[:i], p) {
			c.add(path, "remove one of them", "%s is listed twice", p)
			continue
		}
		c.party(path, p)
	}
	return list, true
}

// party checks that what a policy names is there and can be judged.
func (c *checker) party(path string, p Party) {
	switch p.Kind {
	case PartyNetwork, PartyGuests, PartyGateway:
		n := known(c, path, "network", p.Name, c.spec.Networks)
		switch {
		case n == nil:
		case n.Mode == Open || n.Mode == Bridge:
			c.add(path, "choose mode nat, route or isolated for it", "network %q has mode %s, where no rule of ours decides", p.Name, n.Mode)
		case p.Kind == PartyGateway && len(c.holders[p.Name]) == 0:
			c.refer(path, "give the network a subnet", "network %q has no gateway", p.Name)
		}
	case PartyRouter:
		known(c, path, "router", p.Name, c.spec.Routers)
	case PartySet:
		known(c, path, "set", p.Name, c.spec.Sets)
	case PartyPrefix:
		c.addError(path, "", checkPrefix(p.Prefix))
	}
}

// addressSet checks a set of addresses by itself.
func (c *checker) addressSet(path, name string, set *AddressSet) {
	c.addError(path, "", CheckName(name))
	at := Field(path, "addresses")
	if set.Addresses == "" {
		c.add(at, "write for instance [192.0.2.0/24]", "the addresses are missing")
		return
	}
	c.prefixList(at, set.Addresses)
}
