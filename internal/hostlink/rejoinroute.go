package hostlink

import "golang.org/x/sys/unix"

// alsoOf are the routes of a bridge that come with some addresses as well, which leave
// it: there will be one of each, which ends as its address does.
func (s State) alsoOf(addresses []Address) (list []Route) {
	have := routeSetOf(s.Routes)
	for _, a := range addresses {
		for _, r := range a.connected() {
			if !have.contains(r) {
				continue
			}
			if valid, ends := a.lifetime(); ends && a.family() == unix.AF_INET6 {
				r.Attrs = r.Attrs.with(attrExpires, bytes32(valid))
			}
			list = joinedRoutes(list, []Route{r})
		}
	}
	return list
}

// behindOthers gives those of some IPv6 routes again that were behind others when the
// bridge was on its own: what it shares with the interface comes behind that one's.
func (s State) behindOthers(shared []Route) (ops []Op) {
	own := routeSetOf(s.Routes)
	for _, r := range shared {
		if o, had := own.find(r); had && o.Rank > 0 && r.family() == unix.AF_INET6 {
			ops = append(ops, deleteRoute(s.Name, o), setRoute("append", s.Name, o))
		}
	}
	return ops
}

// routesInOrder gives IPv6 routes of the bridge again that are to come behind the same
// ones of the interface: the kernel puts those of one destination and metric behind
// each other as they come. Those by gateways would become one multipath route.
func routesInOrder(now, before State) (ops []Op) {
	mine, have := routeSetOf(before.Routes), routeSetOf(now.Bridge.Routes)
	there := routeSetOf(now.Routes)
	for _, r := range before.Bridge.Routes {
		own, both := mine.find(r)
		if !both || r.family() != unix.AF_INET6 || !r.direct() || own.Rank > r.Rank {
			continue
		}
		a, onNIC := there.find(r)
		b, onBridge := have.find(r)
		if !onNIC || !onBridge || a.Rank > b.Rank {
			ops = append(ops, deleteRoute(before.Bridge.Name, r), setRoute("append", before.Bridge.Name, r))
		}
	}
	return ops
}
