package spec

import (
	"maps"
	"slices"
)

var stances = []Stance{StanceOpen, StanceOutbound, StanceIsolated}

// company checks what a network says of its connections to others.
func (c *checker) company(path, name string, n *Network) {
	c.stance(Field(path, "policy"), name, n)
	c.connections(Field(path, "connections"), n.Connections)
	if n.Mode == Open && n.Connections != 0 {
		c.add(Field(path, "connections"), "remove it, or choose mode route", "mode open has no rules of ours")
	}
	if !c.few(Field(path, "peers"), len(n.Peers), maxAddresses) {
		return
	}
	for i, peer := range n.Peers {
		p := Index(Field(path, "peers"), i)
		if slices.Contains(n.Peers[:i], peer) {
			c.add(p, "remove it", "%q is listed twice", peer)
			continue
		}
		c.peer(p, name, n, peer)
	}
}

func (c *checker) stance(path, name string, n *Network) {
	switch {
	case n.Policy == "":
	case !slices.Contains(stances, n.Policy):
		c.add(path, oneOf(string(n.Policy), "defaults", texts(stances)), "%q is not a default for connections", string(n.Policy))
	case n.Mode == Open:
		c.add(path, "remove it, or choose mode route", "in mode open the host's own firewall decides")
	case n.Mode == Isolated && n.Policy != StanceIsolated && len(c.ends[name]) == 0:
		c.refer(path, "choose mode nat or route, or put the network behind a router", "guests of an isolated network do not leave it")
	}
}

// peer checks a network that another one's guests shall reach.
func (c *checker) peer(path, name string, n *Network, peer string) {
	if peer == name {
		c.add(path, "remove it", "a network is no peer of itself")
		return
	}
	other := known(c, path, "network", peer, c.spec.Networks)
	if other == nil {
		return
	}
	for _, m := range []struct {
		name string
		*Network
	}{{name, n}, {peer, other}} {
		if m.Mode == Open || m.Mode == Bridge {
			c.add(path, "write isolated, nat or route networks", "network %q has mode %s, where no rule of ours decides who reaches whom", m.name, m.Mode)
			return
		}
	}
	c.meeting(path, name, peer)
}

// meeting wants a place where packets from one network to the other pass: the
// host, or a router with interfaces on both.
func (c *checker) meeting(path, a, b string) {
	at := map[string]bool{}
	for _, h := range c.holders[a] {
		at[h.Router] = true
	}
	for _, h := range c.holders[b] {
		if at[h.Router] {
			return
		}
	}
	hint := "give both a gateway address of the host, or interfaces of one router"
	if places := slices.Sorted(maps.Keys(at)); len(places) == 0 {
		c.refer(path, hint, "network %q has no gateway by which its guests reach others", a)
		return
	}
	c.refer(path, hint, "networks %q and %q do not meet: no router, nor the host, is the gateway of both", a, b)
}
