package spec

import (
	"fmt"
	"net/netip"
	"slices"
)

// held is a prefix that an object of this host holds.
type held struct {
	prefix netip.Prefix // as written
	path   string
	owner  string // path of the object
	who    string // network "lab"
}

// holders are those who hold the same prefix.
type holders struct {
	list     []held
	reported bool
}

// prefixes finds the holders of a prefix.
type prefixes map[netip.Prefix]*holders

func group(list []held) prefixes {
	ps := prefixes{}
	for _, h := range list {
		p := h.prefix.Masked()
		if ps[p] == nil {
			ps[p] = &holders{}
		}
		ps[p].list = append(ps[p].list, h)
	}
	return ps
}

// overlaps reports subnets that share addresses: of one network, of two, or of
// a network and a bridge of the host. Two bridges of the host may be in the same
// LAN; that is their owner's business. Two prefixes overlap when one contains
// the other, so each looks up those around it, in a step a bit: the time grows
// with the number of prefixes, not with that of pairs.
func (c *checker) overlaps() {
	subnets, hosts := c.heldBySubnets(), c.heldByHost()
	done := map[string]bool{}
	bySubnets, byHosts := group(subnets), group(hosts)
	for _, s := range subnets {
		c.around(s, bySubnets, done)
		c.around(s, byHosts, done)
	}
	for _, h := range hosts {
		c.around(h, bySubnets, done)
	}
}

// around reports h and those who hold its prefix or a wider one.
func (c *checker) around(h held, ps prefixes, done map[string]bool) {
	for bits := h.prefix.Bits(); bits >= 0; bits-- {
		wider, _ := h.prefix.Addr().Prefix(bits)
		g := ps[wider]
		if g == nil {
			continue
		}
		if i := slices.IndexFunc(g.list, func(other held) bool { return other.path != h.path }); i >= 0 {
			c.overlap(h, g.list[i], done)
			g.report(c, h, done)
		}
	}
}

// report reports all holders but h itself, which reports for itself. That is
// once enough for the whole group.
func (g *holders) report(c *checker, h held, done map[string]bool) {
	if g.reported {
		return
	}
	g.reported = true
	for _, other := range g.list {
		if other.path != h.path {
			c.overlap(other, h, done)
		}
	}
}

// overlap reports on a's side, once for each value.
func (c *checker) overlap(a, b held, done map[string]bool) {
	if a.owner == b.owner {
		kind, _ := Problem{Path: a.owner}.Object()
		b.who = "the same " + Singular(kind)
	}
	if !done[a.path] {
		done[a.path] = true
		c.add(a.path, "give one of them another prefix", "%s overlaps %s of %s", a.prefix, b.prefix, b.who)
	}
}

func (c *checker) heldBySubnets() []held {
	var list []held
	for name, n := range sorted(c.spec.Networks) {
		owner := Field("networks", name)
		for i, s := range n.Subnets {
			if soundPrefix(s.Address) {
				path := Field(Index(Field(owner, "subnets"), i), "address")
				list = append(list, held{s.Address, path, owner, fmt.Sprintf("network %q", name)})
			}
		}
	}
	for name, r := range sorted(c.spec.Routers) {
		owner := Field("routers", name)
		r.eachWay(owner, func(path, _ string, u *Uplink) {
			for _, p := range u.hostAddresses() {
				list = append(list, held{p, Field(path, "gateway"), owner, fmt.Sprintf("router %q", name)})
			}
		})
	}
	return list
}

func (c *checker) heldByHost() []held {
	var list []held
	for name, b := range sorted(c.spec.Bridges) {
		owner := Field("bridges", name)
		for i, p := range b.Addresses {
			if soundPrefix(p) {
				list = append(list, held{p, Index(Field(owner, "addresses"), i), owner, fmt.Sprintf("bridge %q", name)})
			}
		}
	}
	return list
}

// soundPrefix leaves out what other rules report already.
func soundPrefix(p netip.Prefix) bool {
	return p.IsValid() && p.Bits() > 0 && checkUnicast(p.Addr()) == nil && checkNotLinkLocal(p.Addr()) == nil
}
