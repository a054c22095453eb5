package spec

import (
	"maps"
	"net/netip"
	"slices"
)

// Limits of one router. That of uplinks is how many marks and tables there are.
const (
	maxInterfaces = 256
	maxUplinks    = 16
	maxRoutes     = 1024
)

// router checks one router by itself and against the networks it is on.
func (c *checker) router(path, name string, r *Router) {
	c.addError(path, "", CheckName(name))
	c.addError(Field(path, "title"), "use description for longer text", checkLine(r.Title))
	c.labels(Field(path, "labels"), r.Labels)
	c.connections(Field(path, "connections"), r.Connections)
	if !c.few(Field(path, "interfaces"), len(r.Interfaces), maxInterfaces) || !c.few(Field(path, "uplinks"), len(r.Uplinks), maxUplinks) ||
		!c.few(Field(path, "routes"), len(r.Routes), maxRoutes) {
		return
	}
	c.uplinks(path, r)
	for i := range r.Interfaces {
		c.routerInterface(Index(Field(path, "interfaces"), i), r, i)
	}
	c.insideNames(path, r)
	c.insideOverlaps(path, r)
	c.routerRoutes(Field(path, "routes"), r)
}

func (c *checker) connections(path string, n int) {
	if n < 0 || int64(n) > 1<<32-1 {
		c.add(path, "remove it for any number", "%d is not a number of connections from 1 to 4294967295", n)
	}
}

// eachWay calls f for every uplink of a router with its path and name.
func (r *Router) eachWay(path string, f func(path, name string, u *Uplink)) {
	if r.Uplink != nil {
		f(Field(path, "uplink"), OnlyUplink, r.Uplink)
	}
	for name, u := range sorted(r.Uplinks) {
		if name != OnlyUplink || r.Uplink == nil {
			f(Field(Field(path, "uplinks"), name), name, u)
		}
	}
}

// uplinks checks the ways out of a router.
func (c *checker) uplinks(path string, r *Router) {
	for name, u := range r.Uplinks {
		at := Field(Field(path, "uplinks"), name)
		switch {
		case u == nil:
			c.add(at, "", "the uplink has no settings")
		case name == OnlyUplink && r.Uplink != nil:
			c.add(at, "remove one of them, or give it another name", "the uplink named uplink is written twice")
		}
		c.addError(at, "", CheckInterfaceName(name))
	}
	r.eachWay(path, func(path, _ string, u *Uplink) { c.uplink(path, r, u) })
}

// insideNames reports interfaces of one router that have the same name.
func (c *checker) insideNames(path string, r *Router) {
	claims := map[string][]claim{}
	r.eachWay(path, func(path, name string, _ *Uplink) {
		claims[name] = append(claims[name], claim{path: path, who: "an uplink of the same router"})
	})
	for k, i := range r.Interfaces {
		if i.Name != "" {
			at := Field(Index(Field(path, "interfaces"), k), "name")
			claims[i.Name] = append(claims[i.Name], claim{path: at, who: "the interface on network \"" + i.Network + "\""})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		c.clash(claims[name], "the interface name \""+name+"\"")
	}
}

// insideOverlaps reports subnets of one router that share addresses: it would not
// know where to send a packet. Other routers may use the same subnets.
func (c *checker) insideOverlaps(path string, r *Router) {
	var list []held
	for k := range r.Interfaces {
		at := Index(Field(path, "interfaces"), k)
		for p, s := range r.Interfaces[k].gatewaysAt(at) {
			if soundPrefix(s.Address) {
				list = append(list, held{s.Address, Field(p, "address"), path, ""})
			}
		}
	}
	r.eachWay(path, func(at, _ string, u *Uplink) {
		addresses, _ := u.Address.List()
		for _, p := range addresses {
			if soundPrefix(p) {
				list = append(list, held{p, Field(at, "address"), path, ""})
			}
		}
	})
	list = append(list, c.learntSubnets(path, r)...)
	done, ps := map[string]bool{}, group(list)
	for _, h := range list {
		c.around(h, ps, done)
	}
}

// learntSubnets are the subnets in which a router will get addresses on networks
// of ours.
func (c *checker) learntSubnets(path string, r *Router) []held {
	var list []held
	r.eachWay(path, func(at, _ string, u *Uplink) {
		n := c.whole(u.Network, c.spec.Networks[u.Network])
		if n == nil {
			return
		}
		for _, s := range n.Subnets {
			if v4 := s.Address.Addr().Is4(); soundPrefix(s.Address) && (v4 && u.DHCP || !v4 && u.SLAAC) {
				list = append(list, held{s.Address.Masked(), Field(at, "network"), path, ""})
			}
		}
	})
	return list
}

// onLink reports whether the router reaches an address directly: it lies in the
// subnet of an interface or uplink. It is not known of an uplink that learns its
// addresses.
func (r *Router) onLink(a netip.Addr) bool {
	for k := range r.Interfaces {
		for _, s := range r.Interfaces[k].Gateways() {
			if s.Address.IsValid() && s.Address.Contains(a) {
				return true
			}
		}
	}
	for _, u := range r.Ways() {
		addresses, _ := u.Address.List()
		inside := func(p netip.Prefix) bool { return p.Contains(a) }
		if a.Is4() && u.DHCP || a.Is6() && u.SLAAC || slices.ContainsFunc(addresses, inside) || slices.Contains(u.gateways(), a) {
			return true
		}
	}
	return false
}

// holds reports whether an address is the router's own.
func (r *Router) holds(a netip.Addr) bool {
	for k := range r.Interfaces {
		for _, s := range r.Interfaces[k].Gateways() {
			if s.Address.Addr() == a {
				return true
			}
		}
	}
	for _, u := range r.Ways() {
		addresses, _ := u.Address.List()
		if slices.ContainsFunc(addresses, func(p netip.Prefix) bool { return p.Addr() == a }) {
			return true
		}
	}
	return false
}
