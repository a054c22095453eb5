package kernel

import (
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

// route is a route as the kernel tells it, one of its next hops a value.
type route struct {
	dst    netip.Prefix
	via    netip.Addr
	index  int
	metric int
	proto  int
}

// routes lists the unicast routes of the main table. The kernel does the
// filtering; a namespace without any route has no main table, and says so only
// to those who ask for one family.
func (k *Kernel) routes() ([]route, error) {
	msgs, err := k.dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE,
		&nl.RtMsg{RtMsg: unix.RtMsg{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST}})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	list := make([]route, 0, len(msgs))
	for _, m := range msgs {
		list = parseRoute(list, m)
	}
	return list, nil
}

// parseRoute appends the hops of a route, none when it is not of the kind plan
// knows: routes by type of service have no place in its keys.
func parseRoute(list []route, m []byte) []route {
	if len(m) < unix.SizeofRtMsg {
		return list
	}
	family, bits, tos, table, kind := m[0], int(m[1]), m[3], m[4], m[7]
	if table != unix.RT_TABLE_MAIN || kind != unix.RTN_UNICAST || tos != 0 || native.Uint32(m[8:])&unix.RTM_F_CLONED != 0 {
		return list
	}
	r := route{proto: int(m[5])}
	var dst netip.Addr
	switch family {
	case unix.AF_INET:
		dst = netip.IPv4Unspecified()
	case unix.AF_INET6:
		dst = netip.IPv6Unspecified()
	default:
		return list
	}
	var hops []byte
	for kind, v := range attrs(m[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(v)
		case unix.RTA_PRIORITY:
			r.metric = number(v)
		case unix.RTA_MULTIPATH:
			hops = v
		default:
			r.parseHop(kind, v)
		}
	}
	r.dst = netip.PrefixFrom(dst, bits)
	if family == unix.AF_INET6 && r.metric == metric6 {
		r.metric = 0
	}
	if hops == nil {
		return append(list, r)
	}
	return parseHops(list, r, hops)
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
		if !there {
			continue
		}
		o := plan.Route{NS: v.ns, Dst: r.dst, Via: r.via, Link: name, Metric: r.metric}
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
	index, err := a.index(r.Link)
	if err != nil {
		return err
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Protocol: protocol, Scope: scopeOf(r),
	}}
	err = a.k.change(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_APPEND, routeRequest(msg, index, r)...)
	return unlessGone(err, unix.EEXIST)
}

// scopeOf is what ip gives a route: an IPv4 destination without a next hop is on
// the link. IPv6 has no scopes.
func scopeOf(r plan.Route) uint8 {
	if r.Dst.Addr().Is4() && !r.Via.IsValid() {
		return unix.RT_SCOPE_LINK
	}
	return unix.RT_SCOPE_UNIVERSE
}

func (a *applier) delRoute(r plan.Route) error {
	index, err := a.index(r.Link)
	if err == nil {
		err = a.dropRoute(index, r)
	}
	return unlessGone(err, unix.ENODEV, unix.ESRCH)
}

// dropRoute removes a route that is there. Looking first is for IPv4, whose
// delete takes a missing metric for any: it would remove another of our routes
// once the one without a metric is gone.
func (a *applier) dropRoute(index int, r plan.Route) error {
	if r.Dst.Addr().Is4() && r.Metric == 0 {
		there, err := a.k.holds(index, r)
		if err != nil || !there {
			return err
		}
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Scope: unix.RT_SCOPE_NOWHERE}}
	if r.Mark != "" {
		msg.Protocol = protocol
	}
	return a.k.change(unix.RTM_DELROUTE, 0, routeRequest(msg, index, r)...)
}

// holds reports whether the kernel has the route.
func (k *Kernel) holds(index int, r plan.Route) (bool, error) {
	list, err := k.routes()
	for _, have := range list {
		ours := r.Mark == "" || have.proto == protocol
		if ours && have.dst == r.Dst.Masked() && have.via == r.Via && have.index == index && have.metric == r.Metric {
			return true, nil
		}
	}
	return false, err
}

// routeRequest describes a route behind its header.
func routeRequest(msg *nl.RtMsg, index int, r plan.Route) []nl.NetlinkRequestData {
	dst := r.Dst.Masked()
	msg.Family, msg.Dst_len = uint8(familyOf(dst.Addr())), uint8(dst.Bits())
	data := []nl.NetlinkRequestData{msg, attr(unix.RTA_DST, dst.Addr().AsSlice()), attr32(unix.RTA_OIF, index)}
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
