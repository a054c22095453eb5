package spec

import (
	"maps"
	"net/netip"
	"slices"
)

// routerRoutes checks the further routes of a router.
func (c *checker) routerRoutes(path string, r *Router) {
	type key struct {
		to     netip.Prefix
		metric int
	}
	first := map[key]bool{}
	for k, route := range r.Routes {
		p := Index(path, k)
		if c.routerRouteTo(Field(p, "to"), r, route) {
			c.nextHop(p, r, route)
			if id := (key{route.To, route.Metric}); first[id] {
				c.add(Field(p, "to"), "give one of them another metric", "the router already has a route to %s with the same metric", route.To)
			} else {
				first[id] = true
			}
			c.secondDefault(Field(p, "to"), r, route)
		}
		if route.Metric < 0 || int64(route.Metric) > maxMetric {
			c.add(Field(p, "metric"), "", "the metric %d is outside 0 to %d", route.Metric, int64(maxMetric))
		}
	}
}

// secondDefault reports a default route where an uplink's gateway is one already.
func (c *checker) secondDefault(path string, r *Router, route RouterRoute) {
	if route.To.Bits() != 0 {
		return
	}
	r.eachWay("", func(_, name string, u *Uplink) {
		for _, a := range u.gateways() {
			if a.Is4() == route.To.Addr().Is4() && u.Metric == route.Metric {
				c.add(path, "remove it, or give it another metric", "the gateway of uplink %q, %s, is the default route already", name, a)
			}
		}
	})
}

// routerRouteTo checks where a route leads and tells whether that is sound.
func (c *checker) routerRouteTo(path string, r *Router, route RouterRoute) bool {
	to := route.To
	before := len(c.problems)
	if to.IsValid() && to.Bits() == 0 && to == to.Masked() {
		return true
	}
	c.routeTo(path, to, nil)
	if len(c.problems) > before {
		return false
	}
	for k := range r.Interfaces {
		for _, s := range r.Interfaces[k].Gateways() {
			if s.Address.IsValid() && s.Address.Masked() == to {
				c.add(path, "remove the route", "%s is the subnet of the router's interface on network %q", to, r.Interfaces[k].Network)
				return false
			}
		}
	}
	return true
}

// nextHop wants one way for a route: a next hop, an uplink, or none.
func (c *checker) nextHop(path string, r *Router, route RouterRoute) {
	set := 0
	for _, there := range []bool{route.Via.IsValid(), route.Uplink != "", route.Blackhole} {
		if there {
			set++
		}
	}
	switch {
	case set == 0:
		c.add(Field(path, "via"), "write via: and the next router, uplink: NAME, or blackhole: true", "the route leads nowhere")
	case set > 1:
		c.add(path, "leave one of them", "a route has one of via, uplink and blackhole")
	case route.Uplink != "":
		c.routeUplink(Field(path, "uplink"), r, route)
	case route.Via.IsValid():
		c.routerVia(Field(path, "via"), r, route)
	}
}

// routeUplink checks a route by the gateway of an uplink.
func (c *checker) routeUplink(path string, r *Router, route RouterRoute) {
	ways := r.Ways()
	u, v4 := ways[route.Uplink], route.To.Addr().Is4()
	if u == nil {
		c.add(path, oneOf(route.Uplink, "uplinks", slices.Sorted(maps.Keys(ways))), "the router has no uplink %q", route.Uplink)
		return
	}
	learns := v4 && u.DHCP || !v4 && u.SLAAC
	if !learns && !slices.ContainsFunc(u.gateways(), func(a netip.Addr) bool { return a.Is4() == v4 }) {
		c.add(path, "add gateway to the uplink, or write via", "uplink %q has no %s gateway", route.Uplink, family(route.To.Addr()))
	}
}

func (c *checker) routerVia(path string, r *Router, route RouterRoute) {
	via := route.Via
	switch {
	case c.addError(path, "", checkUnicast(via)):
	case via.Is4() != route.To.Addr().Is4():
		c.add(path, "", "%s is %s, but %s is %s", via, family(via), route.To, family(route.To.Addr()))
	case via.IsLinkLocalUnicast():
		c.add(path, "write its other address, or uplink", "%s is a link-local address, it does not tell on which interface", via)
	case r.holds(via):
		c.add(path, "write the address of the next router", "%s is the router's own address", via)
	case !r.onLink(via):
		c.add(path, "write an address in the subnet of an interface or uplink", "the router does not reach %s directly", via)
	}
}
