package hostlink

import (
	"slices"

	"golang.org/x/sys/unix"
)

// trimmed is a bridge as if the kernel had not changed the MTU of its IPv6 routes, which
// it does when that of the link changes (rt6_mtu_change_route in net/ipv6/route.c), and
// what gives them the MTU back that they had.
func (s State) trimmed(before []Route) (State, []Op) {
	had, have, lost := routeSetOf(before), routeSetOf(s.Routes), map[string]Route{}
	for _, o := range before {
		if o.family() == unix.AF_INET6 && !have.contains(o) {
			lost[o.anyMTU()] = o
		}
	}
	var ops []Op
	s.Routes = slices.Clone(s.Routes)
	for i, r := range s.Routes {
		if len(lost) == 0 || r.family() != unix.AF_INET6 || had.contains(r) {
			continue
		}
		o, is := lost[r.anyMTU()]
		if !is {
			continue
		}
		if s.Routes[i] = o; r.replaceable() {
			ops = append(ops, setRoute("replace", s.Name, o))
		} else {
			ops = append(ops, deleteRoute(s.Name, r), setRoute("append", s.Name, o))
		}
	}
	return s, ops
}

// anyMTU is the content of a route but for its MTU.
func (r Route) anyMTU() string {
	metrics := parseAttrs(r.Attrs.get(unix.RTA_METRICS)).without(unix.RTAX_MTU)
	if r.Attrs = r.Attrs.without(unix.RTA_METRICS); len(metrics) > 0 {
		r.Attrs = r.Attrs.with(unix.RTA_METRICS, metrics.appendTo(nil))
	}
	return r.content()
}
