package plan

import (
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// The priorities of rules that choose the table of an uplink, by mark and by
// source, and the metric of a route that is used when all others are gone.
const (
	byMark     = 10000
	bySource   = 11000
	lastMetric = 4278198272
)

// steer wants the routes that uplinks bring, and, where there are several, a table
// for each and what leads there.
func (rt *routing) steer() {
	for _, w := range rt.ways {
		metric := w.u.Metric
		if rt.many && metric == 0 {
			metric = w.mark // by name
		}
		rt.leading(w, 0, metric)
		if rt.many {
			rt.wayTable(w)
		}
	}
	if !rt.many {
		return
	}
	for uplink, mark := range rt.tabled() {
		rt.table(uplink, mark)
	}
	for _, e := range rt.lay.order {
		if e.ns == rt.name {
			rt.row("steered", e.link, "")
		}
	}
}

// markText is a mark as nft prints it.
func markText(mark int) string { return fmt.Sprintf("0x%08x", mark) }

// leading wants the default routes of an uplink, and what it learnt by DHCP.
func (rt *routing) leading(w way, table, metric int) {
	for _, g := range w.gateways {
		if !g.IsLinkLocalUnicast() && !slices.ContainsFunc(w.addresses, func(p netip.Prefix) bool { return p.Contains(g) }) {
			rt.route(table, netip.PrefixFrom(g, g.BitLen()), netip.Addr{}, w.name, metric)
		}
		rt.route(table, defaultOf(g), g, w.name, metric)
	}
	if !w.u.DHCP {
		return
	}
	for _, r := range rt.facts.Acquired[rt.name+"/"+w.name].Routes {
		if r.To.Bits() > 0 && rt.has(r.To.Addr()) {
			rt.route(table, r.To.Masked(), r.Via, w.name, metric)
		}
	}
}

func (rt *routing) route(table int, to netip.Prefix, via netip.Addr, link string, metric int) {
	rt.want.Add(Route{Mark: rt.owner, NS: rt.name, Table: table, Dst: to, Via: via, Link: link, Metric: metricOf(to, metric)})
}

// wayTable wants what an uplink that is there has in its own table, and what leads
// there by its addresses.
func (rt *routing) wayTable(w way) {
	rt.row("steered", w.name, "")
	rt.row("entered", w.name, markText(w.mark))
	for _, p := range w.addresses {
		if !p.IsSingleIP() {
			rt.route(w.mark, p.Masked(), netip.Addr{}, w.name, 0)
		}
		rt.want.Add(Rule{Mark: rt.owner, NS: rt.name, Family: familyName(p.Addr()), Priority: bySource + w.mark - firstTable + 1,
			From: netip.PrefixFrom(p.Addr(), p.Addr().BitLen()), Table: w.mark})
	}
	rt.leading(w, w.mark, 0)
}

// tabled yields those of several uplinks that have a routing table, with its number:
// those that are there, and those by which alone a network may leave. Networks of
// others leave by the main table while theirs is not there.
func (rt *routing) tabled() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for k, uplink := range slices.Sorted(maps.Keys(rt.r.Ways())) {
			if rt.many && (rt.there(uplink) || rt.strict(uplink)) && !yield(uplink, firstTable+k) {
				return
			}
		}
	}
}

func (rt *routing) there(uplink string) bool {
	return slices.ContainsFunc(rt.ways, func(w way) bool { return w.name == uplink })
}

// strict reports whether a network leaves by an uplink and by nothing else.
func (rt *routing) strict(uplink string) bool {
	return slices.ContainsFunc(rt.lay.order, func(e *end) bool { return e.ns == rt.name && e.i.Uplink == uplink && e.i.KillSwitch })
}

// lax reports whether a network prefers an uplink, and may leave by another. Its
// packets must find their way past the table; what holds the strict ones back then
// are the rules (pinned).
func (rt *routing) lax(uplink string) bool {
	return slices.ContainsFunc(rt.lay.order, func(e *end) bool { return e.ns == rt.name && e.i.Uplink == uplink && !e.i.KillSwitch })
}

// table wants of a routing table what does not hang on its uplink: what leads there
// by mark, the routes to the router's networks, and, where a network leaves by
// nothing else, a last one that refuses.
func (rt *routing) table(uplink string, mark int) {
	for _, e := range rt.lay.order {
		if e.ns == rt.name {
			for _, p := range e.subnets {
				rt.route(mark, p.Masked(), netip.Addr{}, e.link, 0)
			}
			if e.i.Uplink == uplink && (e.i.KillSwitch || rt.there(uplink)) {
				rt.row("leaves", e.link, markText(mark))
			}
		}
	}
	for _, all := range []netip.Prefix{defaultOf(netip.IPv4Unspecified()), defaultOf(netip.IPv6Unspecified())} {
		if !rt.has(all.Addr()) {
			continue
		}
		rt.want.Add(Rule{Mark: rt.owner, NS: rt.name, Family: familyName(all.Addr()), Priority: byMark + mark - firstTable + 1, FwMark: uint32(mark), Table: mark})
		if rt.strict(uplink) && !(rt.there(uplink) && rt.lax(uplink)) {
			rt.want.Add(Route{Mark: rt.owner, NS: rt.name, Table: mark, Type: "unreachable", Dst: all, Metric: lastMetric})
		}
	}
}

// statics wants the routes that people wrote, in the tables of all uplinks too,
// but for those by way of another one.
func (rt *routing) statics() {
	for _, r := range rt.r.Routes {
		if !rt.has(r.To.Addr()) {
			continue
		}
		via, link, uplink := rt.nextHop(r)
		for _, table := range rt.tables(uplink) {
			switch {
			case r.Blackhole:
				rt.want.Add(Route{Mark: rt.owner, NS: rt.name, Table: table, Type: "blackhole", Dst: r.To.Masked(), Metric: metricOf(r.To, r.Metric)})
			case link != "":
				rt.route(table, r.To.Masked(), via, link, r.Metric)
			}
		}
	}
}

// tables are the main table, and those of the uplinks, or of one.
func (rt *routing) tables(uplink string) []int {
	list := []int{0}
	for name, mark := range rt.tabled() {
		if uplink == "" || uplink == name {
			list = append(list, mark)
		}
	}
	return list
}

// nextHop finds where a route leads: to a neighbour on one of the interfaces, or
// to the gateway of an uplink. The link is "" when neither is there.
func (rt *routing) nextHop(r spec.RouterRoute) (via netip.Addr, link, uplink string) {
	for k := range rt.ways {
		w := &rt.ways[k]
		switch {
		case r.Uplink == w.name && r.Via.IsValid():
			return r.Via, w.name, w.name
		case r.Uplink == w.name && w.gateway(r.To.Addr()).IsValid():
			return w.gateway(r.To.Addr()), w.name, w.name
		case r.Uplink == "" && slices.ContainsFunc(w.addresses, func(p netip.Prefix) bool { return p.Contains(r.Via) }):
			return r.Via, w.name, w.name
		}
	}
	for _, e := range rt.lay.order {
		if e.ns == rt.name && slices.ContainsFunc(e.subnets, func(p netip.Prefix) bool { return p.Contains(r.Via) }) {
			return r.Via, e.link, ""
		}
	}
	return netip.Addr{}, "", r.Uplink
}

// metricOf is a metric as it is observed: see metric.
func metricOf(to netip.Prefix, m int) int { return metric(spec.StaticRoute{To: to, Metric: m}) }

func familyName(a netip.Addr) string { return "ipv" + family(a) }
