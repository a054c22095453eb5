package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
)

// networkdWay is a route: of one destination, table and metric there is one for all.
type networkdWay struct{ to, table, metric, gateway, rest string }

func networkdWayOf(part sections) networkdWay {
	w := networkdWay{part.get("Route", "Destination"), part.get("Route", "Table"), part.get("Route", "Metric"), part.get("Route", "Gateway"), ""}
	w.rest = part.without(func(e entry) bool {
		return slices.Contains([]string{"Destination", "Table", "Metric", "Gateway"}, e.key)
	}).says()
	return w
}

// plain spells a route out.
func (w networkdWay) plain() networkdWay {
	if a, err := netip.ParseAddr(w.gateway); err == nil {
		w.gateway = a.String()
		if w.to == "" {
			w.to = map[bool]string{true: "0.0.0.0/0", false: "::/0"}[a.Is4()]
		}
	}
	if p, ok := prefixOf(w.to); ok {
		w.to = p.Masked().String()
	}
	if w.table == "main" || w.table == "254" {
		w.table = ""
	}
	if w.metric == "0" {
		w.metric = ""
	}
	return w
}

// same reports whether two routes are for the same packets.
func (w networkdWay) same(as networkdWay) bool {
	return w.to == as.to && w.table == as.table && w.metric == as.metric
}

// routed adds a route, unless the bridge's file has the same. It refuses one for the same
// packets another way: which of both is used would be up to chance.
func (j joining) routed(left, part sections, way networkdWay) (sections, error) {
	way = way.plain()
	var equal bool
	var other *networkdWay
	look := func(w networkdWay) {
		if w = w.plain(); w == way {
			equal = true
		} else if w.same(way) {
			other = &w
		}
	}
	for _, g := range j.bridge.all.list("Network", "Gateway") {
		look(networkdWay{gateway: g})
	}
	j.bridge.all.each("Route", func(p sections) { look(networkdWayOf(p)) })
	switch {
	case equal:
		return left, nil
	case other == nil:
		return append(left, part...), nil
	}
	by := func(w networkdWay) func(entry) bool {
		return func(e entry) bool {
			a, err := netip.ParseAddr(e.value)
			return e.key == "Gateway" && (e.value == w.gateway || err == nil && a.String() == w.gateway)
		}
	}
	return nil, j.contradiction(by(*other), by(way), fmt.Sprintf("%s is reached by %q", way.to, other.gateway), fmt.Sprintf("it is reached by %q", way.gateway), "give one of both another metric (Metric= in a section [Route]), or take it out")
}
