package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// waiting is a forward that waits on ports.
type waiting struct {
	name  string
	ports PortRange
}

// forwards reports forwards that wait for the same connections. One that waits on
// one address goes before one that waits on all.
func (c *checker) forwards() {
	groups, floats := map[listener][]waiting{}, floats{}
	for name, f := range sorted(c.spec.Forwards) {
		h, ok := c.holders.Of(f)
		switch {
		case !ok:
		case f.Floating.IsValid():
			floats.add(name, h.Router, f)
		default:
			l := listener{h.Router, cmp.Or(f.Protocol, TCP), f.Listen.Addr}
			groups[l] = append(groups[l], waiting{name, f.Listen.Ports})
		}
	}
	for l, list := range groups {
		c.sameports(l, list)
	}
	c.floats(floats)
}

// sameports reports the forwards of one listener whose ports overlap: sorted by
// the first, each against the one before that reaches furthest.
func (c *checker) sameports(l listener, list []waiting) {
	list = slices.DeleteFunc(list, func(w waiting) bool { return w.ports.IsZero() || w.ports.To < w.ports.From })
	slices.SortFunc(list, func(a, b waiting) int {
		return cmp.Or(cmp.Compare(a.ports.From, b.ports.From), cmp.Compare(a.name, b.name))
	})
	for i, far := 1, 0; i < len(list); i++ {
		if list[far].ports.Overlaps(list[i].ports) {
			c.sameport(l, list[i], list[far])
			c.sameport(l, list[far], list[i])
		}
		if list[i].ports.To > list[far].ports.To {
			far = i
		}
	}
}

func (c *checker) sameport(l listener, mine, other waiting) {
	where := "the host"
	if l.router != "" {
		where = fmt.Sprintf("router %q", l.router)
	}
	c.add(Field(Field("forwards", mine.name), "listen"), "choose another port, or another address to listen on",
		"forward %q takes %s/%s on %s, too", other.name, l.protocol, other.ports, where)
}

// floats are the floating addresses, by address and by guest.
type floats struct {
	byAddress map[netip.Addr][]claim
	byGuest   map[floatGuest][]claim
}

type floatGuest struct {
	router, network string
	v4              bool
	to              Target
}

func (f *floats) add(name, router string, forward *Forward) {
	if f.byAddress == nil {
		f.byAddress, f.byGuest = map[netip.Addr][]claim{}, map[floatGuest][]claim{}
	}
	cl := claim{path: Field(Field("forwards", name), "floating"), who: fmt.Sprintf("forward %q", name)}
	f.byAddress[forward.Floating] = append(f.byAddress[forward.Floating], cl)
	g := floatGuest{router, forward.Network, forward.Floating.Is4(), Target{Name: forward.To.Name, Addr: forward.To.Addr}}
	f.byGuest[g] = append(f.byGuest[g], cl)
}

// floats reports floating addresses that two forwards, or others, have, and guests
// with two: by which would they leave?
func (c *checker) floats(f floats) {
	for a, list := range f.byAddress {
		c.clash(list, fmt.Sprintf("the floating address %s", a))
	}
	for g, list := range f.byGuest {
		for i, mine := range list {
			if len(list) > 1 && !g.to.IsZero() {
				c.add(mine.path, "leave one of them", "%s has another floating address by %s: with which one should it leave?", g.to, list[(i+1)%len(list)].who)
			}
		}
	}
	c.floatsOfOthers(f.byAddress)
}

// floatsOfOthers reports floating addresses that are no guest's: of gateways, of
// uplinks, of the next routers, and those that a forward waits on.
func (c *checker) floatsOfOthers(byAddress map[netip.Addr][]claim) {
	c.fixedAddresses(func(a netip.Addr, path, who string) {
		for _, mine := range byAddress[a] {
			c.add(mine.path, "choose another address", "%s is an address of %s", a, who)
			c.add(path, "choose another address", "%s is the floating address of %s", a, mine.who)
		}
	})
	if len(byAddress) == 0 {
		return
	}
	for name, f := range sorted(c.spec.Forwards) {
		path := Field(Field("forwards", name), "listen")
		for _, other := range byAddress[f.Listen.Addr] {
			if f.Listen.Addr.IsValid() && !f.Floating.IsValid() {
				c.add(path, "choose another address", "%s is the floating address of %s, which takes all its ports", f.Listen.Addr, other.who)
				c.add(other.path, "choose another address", "forward %q waits on %s", name, f.Listen.Addr)
			}
		}
	}
}

// fixedAddresses calls f for every address that the host, a router's uplink or the
// next router has.
func (c *checker) fixedAddresses(f func(a netip.Addr, path, who string)) {
	for name, n := range sorted(c.spec.Networks) {
		for i, s := range n.Subnets {
			f(s.Address.Addr(), Field(Index(Field(Field("networks", name), "subnets"), i), "address"), fmt.Sprintf("network %q", name))
		}
	}
	for name, b := range sorted(c.spec.Bridges) {
		path, who := Field("bridges", name), fmt.Sprintf("bridge %q", name)
		for i, p := range b.Addresses {
			f(p.Addr(), Index(Field(path, "addresses"), i), who)
		}
		for i, a := range b.Gateway {
			f(a, Index(Field(path, "gateway"), i), "the gateway of "+who)
		}
	}
	for name, r := range sorted(c.spec.Routers) {
		who := fmt.Sprintf("router %q", name)
		r.eachWay(Field("routers", name), func(path, _ string, u *Uplink) {
			addresses, _ := u.Address.List()
			for _, p := range addresses {
				f(p.Addr(), Field(path, "address"), who)
			}
			for _, a := range u.gateways() {
				f(a, Field(path, "gateway"), "the gateway of "+who)
			}
		})
	}
}
