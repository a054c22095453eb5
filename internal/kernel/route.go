package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// metric6 is what the kernel makes of an IPv6 route without a metric
// (IP6_RT_PRIO_USER). It is observed as no metric, so that what was asked for
// is what is seen.
const metric6 = 1024

// The tables in which foreign routes are seen in the namespaces of routers: those
// of uplinks. Others are somebody else's affair.
const (
	firstTable = 100
	lastTable  = 355
)

// types are the routes that plan knows, by their numbers.
var types = map[uint8]string{
	unix.RTN_UNICAST:     "",
	unix.RTN_BLACKHOLE:   "blackhole",
	unix.RTN_UNREACHABLE: "unreachable",
	unix.RTN_LOCAL:       toHost,
}

// toHost is the type of routes to the host itself. The kernel makes them for each
// address; ours are beside them in table local.
const toHost = "local"

// nowhere says whether a type of route leads over no link.
func nowhere(kind string) bool { return kind != "" && kind != toHost }

// route is a route as the kernel tells it, one of its next hops a value.
type route struct {
	dst    netip.Prefix
	via    netip.Addr
	index  int
	metric int
	proto  int
	table  int
	kind   string // as plan calls it
}

// routes lists the routes that count here: in the daemon's namespace the unicast
// routes of the main table and ours to the host, in a router's those of all its
// tables. The kernel does the filtering; a namespace without any route has no main
// table, and says so only to those who ask for one family.
func (k *Kernel) routes() ([]route, error) {
	filters := []unix.RtMsg{
		{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST},
		{Table: unix.RT_TABLE_LOCAL, Type: unix.RTN_LOCAL, Protocol: protocol},
	}
	if k.routers() {
		filters = []unix.RtMsg{{}}
	}
	var list []route
	for _, filter := range filters {
		msgs, err := k.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, &nl.RtMsg{RtMsg: filter})
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		for _, m := range msgs {
			list = parseRoute(list, m)
		}
	}
	return list, nil
}

// parseRoute appends the hops of a route, none when it is not of the kind plan
// knows: routes by type of service have no place in its keys.
func parseRoute(list []route, m []byte) []route {
	if len(m) < unix.SizeofRtMsg {
		return list
	}
	family, bits, tos, table := m[0], int(m[1]), m[3], m[4]
	name, known := types[m[7]]
	if !known || tos != 0 || table == unix.RT_TABLE_LOCAL && m[5] != protocol || native.Uint32(m[8:])&unix.RTM_F_CLONED != 0 {
		return list
	}
	r := route{proto: int(m[5]), table: int(table), kind: name}
	var dst netip.Addr
	switch family {
	case unix.AF_INET:
		dst = netip.IPv4Unspecified()
	case unix.AF_INET6:
		dst = netip.IPv6Unspecified()
	default:
		return list
	}
	hops := r.parseAttrs(m[unix.SizeofRtMsg:], &dst)
	r.dst = netip.PrefixFrom(dst, bits)
	if family == unix.AF_INET6 && r.metric == metric6 {
		r.metric = 0
	}
	switch {
	case !r.counts():
		return list
	case nowhere(r.kind): // IPv6 says that these lead to lo
		r.via, r.index = netip.Addr{}, 0
		return append(list, r)
	case hops == nil:
		return append(list, r)
	}
	return parseHops(list, r, hops)
}

// parseAttrs returns the next hops where they are several.
func (r *route) parseAttrs(b []byte, dst *netip.Addr) (hops []byte) {
	for kind, v := range attrs(b) {
		switch kind {
		case unix.RTA_DST:
			*dst, _ = netip.AddrFromSlice(v)
		case unix.RTA_PRIORITY:
			r.metric = int(uint32(number(v)))
		case unix.RTA_TABLE:
			r.table = number(v)
		case unix.RTA_MULTIPATH:
			hops = v
		default:
			r.parseHop(kind, v)
		}
	}
	return hops
}

// counts says whether the route is in one of the tables that are looked at.
func (r *route) counts() bool {
	switch {
	case r.table == unix.RT_TABLE_LOCAL || r.kind == toHost:
		return r.table == unix.RT_TABLE_LOCAL && r.kind == toHost && r.proto == protocol
	case r.table == unix.RT_TABLE_MAIN, r.proto == protocol:
		return true
	}
	return r.table >= firstTable && r.table <= lastTable && r.table != unix.RT_TABLE_DEFAULT
}

func (r *route) parseHop(kind int, v []byte) {
	switch kind {
	case unix.RTA_OIF:
		r.index = number(v)
	case unix.RTA_GATEWAY:
		r.via, _ = netip.AddrFromSlice(v)
	case unix.RTA_VIA: // a next hop of the other family, its family first
		r.via, _ = netip.AddrFromSlice(v[min(2, len(v)):])
	}
}

// parseHops appends one route for each next hop (struct rtnexthop).
func parseHops(list []route, r route, b []byte) []route {
	for len(b) >= unix.SizeofRtNexthop {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		hop := r
		hop.index = number(b[4:])
		for kind, v := range attrs(b[unix.SizeofRtNexthop:size]) {
			hop.parseHop(kind, v)
		}
		list = append(list, hop)
		b = b[min(align(size), len(b)):]
	}
	return list
}

func (k *Kernel) observeRoutes(v *view) error {
	list, err := k.routes()
	if err != nil {
		return err
	}
	for _, r := range list {
		name, there := v.names[r.index]
		if !there && !nowhere(r.kind) {
			continue
		}
		o := plan.Route{NS: v.ns, Type: r.kind, Dst: r.dst, Via: r.via, Link: name, Metric: r.metric}
		if r.table != unix.RT_TABLE_MAIN {
			o.Table = r.table
		}
		if r.proto == protocol {
			o.Mark = v.markOn(r.index)
		}
		v.state.Add(o)
	}
	return nil
}

// addRoute appends, so that a route of ours can stand beside a foreign or an
// old one with the same destination and metric, which goes first until it is
// gone. An identical route of ours is EEXIST.
func (a *applier) addRoute(r plan.Route) error {
	msg, index, err := a.describe(r)
	if err != nil {
		return err
	}
	msg.Protocol, msg.Scope = protocol, scopeOf(r)
	err = a.k.change(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, routeRequest(msg, index, r)...)
	if r.Via.IsValid() && (errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EINVAL)) {
		return fmt.Errorf("the next hop %s cannot be reached on %s: %w", r.Via, r.Link, err)
	}
	return unlessGone(err, unix.EEXIST)
}

// describe begins the request for a route: its header, and the link it leads to. A
// route that leads nowhere has none; the kernel names lo then, and IPv6 wants to
// hear it when the route is deleted.
func (a *applier) describe(r plan.Route) (msg *nl.RtMsg, index int, err error) {
	msg = &nl.RtMsg{RtMsg: unix.RtMsg{Table: uint8(tableOf(r)), Type: unix.RTN_UNICAST}}
	if tableOf(r) > 255 {
		msg.Table = unix.RT_TABLE_UNSPEC // the number is an attribute
	}
	known := false
	for number, name := range types {
		if name == r.Type {
			msg.Type, known = number, true
		}
	}
	switch {
	case !known:
		return nil, 0, fmt.Errorf("type %s is not one to make", r.Type)
	case !nowhere(r.Type):
		index, err = a.index(r.Link)
	}
	return msg, index, err
}

func tableOf(r plan.Route) int { return cmp.Or(r.Table, unix.RT_TABLE_MAIN) }

// scopeOf is what ip gives a route: an IPv4 destination without a next hop is on
// the link. IPv6 has no scopes.
func scopeOf(r plan.Route) uint8 {
	switch {
	case r.Dst.Addr().Is4() && r.Type == toHost:
		return unix.RT_SCOPE_HOST
	case r.Dst.Addr().Is4() && r.Type == "" && !r.Via.IsValid():
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func (a *applier) delRoute(r plan.Route) error {
	msg, index, err := a.describe(r)
	if err == nil {
		err = a.dropRoute(msg, index, r)
	}
	return unlessGone(err, unix.ENODEV, unix.ESRCH, unix.ENOENT)
}

// dropRoute removes a route that is there. Looking first is for IPv4, whose
// delete takes a missing metric for any: it would remove another of our routes
// once the one without a metric is gone. IPv6 takes a missing link for any.
func (a *applier) dropRoute(msg *nl.RtMsg, index int, r plan.Route) error {
	if r.Dst.Addr().Is4() && r.Metric == 0 {
		there, err := a.k.holds(index, r)
		if err != nil || !there {
			return err
		}
	}
	if r.Dst.Addr().Is6() && nowhere(r.Type) {
		var err error
		if index, err = a.index(loopback); err != nil {
			return err
		}
	}
	msg.Scope = unix.RT_SCOPE_NOWHERE // any
	if r.Mark != "" {
		msg.Protocol, msg.Scope = protocol, scopeOf(r) // IPv4 takes a missing next hop for any
	}
	return a.k.change(unix.RTM_DELROUTE, 0, routeRequest(msg, index, r)...)
}

// holds reports whether the kernel has the route.
func (k *Kernel) holds(index int, r plan.Route) (bool, error) {
	list, err := k.routes()
	for _, have := range list {
		ours := r.Mark == "" || have.proto == protocol
		if ours && have.dst == r.Dst.Masked() && have.via == r.Via && have.index == index && have.metric == r.Metric &&
			have.table == tableOf(r) && have.kind == r.Type {
			return true, nil
		}
	}
	return false, err
}

// routeRequest describes a route behind its header.
func routeRequest(msg *nl.RtMsg, index int, r plan.Route) []nl.NetlinkRequestData {
	dst := r.Dst.Masked()
	msg.Family, msg.Dst_len = uint8(familyOf(dst.Addr())), uint8(dst.Bits())
	data := []nl.NetlinkRequestData{msg, attr(unix.RTA_DST, dst.Addr().AsSlice())}
	if msg.Table == unix.RT_TABLE_UNSPEC {
		data = append(data, attr32(unix.RTA_TABLE, tableOf(r)))
	}
	if index != 0 {
		data = append(data, attr32(unix.RTA_OIF, index))
	}
	switch {
	case r.Via.IsValid() && r.Via.Is4() == dst.Addr().Is4():
		data = append(data, attr(unix.RTA_GATEWAY, r.Via.AsSlice()))
	case r.Via.IsValid():
		data = append(data, attr(unix.RTA_VIA, append(nl.Uint16Attr(uint16(familyOf(r.Via))), r.Via.AsSlice()...)))
	}
	metric := r.Metric
	if metric == 0 && dst.Addr().Is6() {
		metric = metric6
	}
	if metric > 0 {
		data = append(data, attr32(unix.RTA_PRIORITY, metric))
	}
	return data
}
