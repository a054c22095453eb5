package hostlink

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Route is a route of any table.
type Route struct {
	Object
	Rank   int `json:"rank,omitempty"`   // how many of the same destination and metric come before it
	Others int `json:"others,omitempty"` // how many other ones there are of the same

	// Devices are those of the hops of a multipath route, "" for the interface itself.
	Devices []string `json:"devices,omitempty"`
}

// Attributes that golang.org/x/sys does not name (linux/rtnetlink.h).
const (
	attrNexthop = 30 // RTA_NH_ID: the route goes where a nexthop object says
	attrExpires = 23 // RTA_EXPIRES
)

// Fields of a hop of a multipath route (struct rtnexthop).
const (
	hopFlags = 2
	hopIndex = 4
)

// keptFlags of a route or a hop are given; the others tell how it is.
const keptFlags = unix.RTNH_F_ONLINK | unix.RTNH_F_PERVASIVE

func (r Route) protocol() uint8 { return r.Head[5] }

func (r Route) scope() uint8 { return r.Head[6] }

func (r Route) kind() uint8 { return r.Head[7] }

func (r Route) flags() uint32 { return native.Uint32(r.Head[8:]) }

// table is RTA_TABLE; the header has eight bits of it only.
func (r Route) table() uint32 {
	if t := r.Attrs.get(unix.RTA_TABLE); t != nil {
		return number(t)
	}
	return uint32(r.Head[4])
}

// device is the index of the device of a route with one hop, 0 without.
func (r Route) device() int { return int(r.Attrs.number(unix.RTA_OIF)) }

func (r Route) destination() netip.Prefix {
	to := r.Attrs.addr(unix.RTA_DST)
	if !to.IsValid() {
		to = unspecified(r.family())
	}
	return netip.PrefixFrom(to, int(r.Head[1]))
}

func unspecified(family uint8) netip.Addr {
	if family == unix.AF_INET6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// byUser says whether somebody gave the route, rather than the kernel made it with an
// address or a link.
func (r Route) byUser() bool {
	return r.protocol() != unix.RTPROT_KERNEL && r.flags()&unix.RTM_F_CLONED == 0
}

// uses says whether a device is the way, or one of the ways, of a route.
func (r Route) uses(index int) bool {
	if r.Attrs.has(unix.RTA_MULTIPATH) {
		return slices.ContainsFunc(r.hops(), func(h []byte) bool { return int(native.Uint32(h[hopIndex:])) == index })
	}
	return r.device() == index
}

// hops are the hops of a multipath route, each with its header.
func (r Route) hops() (list [][]byte) {
	for b := r.Attrs.get(unix.RTA_MULTIPATH); len(b) >= unix.SizeofRtNexthop; {
		size := int(native.Uint16(b))
		if size < unix.SizeofRtNexthop || size > len(b) {
			break
		}
		list = append(list, b[:size])
		b = b[min(align(size), len(b)):]
	}
	return list
}

// group is what routes have in common between which the kernel chooses by their order.
func (r Route) group() string {
	return fmt.Sprint(r.family(), r.table(), r.destination(), r.Attrs.get(unix.RTA_SRC), r.Head[2], r.Head[3], r.Attrs.number(unix.RTA_PRIORITY))
}

// bare is the route without its device and without what tells how it is doing. What
// is left of its time becomes what a user would give.
func (r Route) bare(index int) Route {
	r.Object = r.clone()
	native.PutUint32(r.Head[8:], r.flags()&keptFlags)
	if info := r.Attrs.get(unix.RTA_CACHEINFO); len(info) >= 12 {
		if left := int32(native.Uint32(info[8:])); left > 0 {
			r.Attrs = r.Attrs.with(attrExpires, bytes32(uint32(left)/ticks))
		}
	}
	r.Attrs = r.Attrs.without(unix.RTA_CACHEINFO, unix.RTA_IIF)
	if r.Attrs.has(attrNexthop) {
		clear(r.Head[8:])
		r.Attrs = r.Attrs.without(unix.RTA_OIF, unix.RTA_GATEWAY, unix.RTA_VIA, unix.RTA_MULTIPATH)
	} else if r.device() == index {
		r.Attrs = r.Attrs.without(unix.RTA_OIF)
	}
	return r.reindexed(index, 0)
}

// reindexed puts one device in the place of another in the hops.
func (r Route) reindexed(from, to int) Route {
	hops := slices.Clone(r.Attrs.get(unix.RTA_MULTIPATH))
	if hops == nil {
		return r
	}
	r.Attrs = r.Attrs.with(unix.RTA_MULTIPATH, hops)
	for _, h := range r.hops() {
		h[hopFlags] &= keptFlags
		if int(native.Uint32(h[hopIndex:])) == from {
			native.PutUint32(h[hopIndex:], uint32(to))
		}
	}
	return r
}

// content is all of a route but when it ends.
func (r Route) content() string {
	o := r.Object
	o.Attrs = o.Attrs.without(attrExpires)
	if number(o.Attrs.get(unix.RTA_PREF)) == 0 {
		o.Attrs = o.Attrs.without(unix.RTA_PREF)
	}
	return o.canonical()
}

// routesOf lists the routes of a device that do not come with an address or a link of
// themselves for good: those of table local, and that of the link-local addresses,
// which each interface has its own of.
func (e everything) routesOf(d device, nexthops []Nexthop) (list []Route) {
	ids := e.nexthopIDs(nexthops)
	seen, members := map[string]int{}, map[string]int{}
	for _, o := range e.routes {
		members[Route{Object: o}.group()]++
	}
	for _, o := range e.routes {
		r := Route{Object: o}
		g := r.group()
		rank := seen[g]
		seen[g]++
		mine := r.uses(d.index)
		if id := r.Attrs.number(attrNexthop); id != 0 {
			mine = slices.Contains(ids, id)
		}
		if !mine || r.ownOfKernel() || r.flags()&unix.RTM_F_CLONED != 0 {
			continue
		}
		r = r.bare(d.index)
		r.Rank, r.Others, r.Devices = rank, members[g]-1, e.hopDevices(r)
		list = append(list, r)
	}
	return list
}

func (e everything) hopDevices(r Route) (names []string) {
	for _, h := range r.hops() {
		names = append(names, e.devices[int(native.Uint32(h[hopIndex:]))].name)
	}
	return names
}

// multicastOf says whether a route is that of a device for multicast of IPv6, which the
// kernel makes when the link has a carrier, or is given an address (addrconf_add_dev in
// net/ipv6/addrconf.c).
func (r Route) multicastOf(device int) bool {
	return r.family() == unix.AF_INET6 && r.device() == device && r.table() == unix.RT_TABLE_LOCAL && r.destination() == multicast6
}

var multicast6 = netip.MustParsePrefix("ff00::/8")

// multicastRoute is that route.
func multicastRoute() Route {
	r := kernelRoute(multicast6, unix.RT_SCOPE_UNIVERSE, addressMetric6, netip.Addr{})
	r.Head[4], r.Head[7] = unix.RT_TABLE_LOCAL, unix.RTN_MULTICAST
	r.Attrs = r.Attrs.with(unix.RTA_TABLE, bytes32(unix.RT_TABLE_LOCAL))
	return r
}

var linkLocal = netip.MustParsePrefix("fe80::/10")

func (r Route) ownOfKernel() bool {
	if r.protocol() != unix.RTPROT_KERNEL {
		return false
	}
	return r.table() == unix.RT_TABLE_LOCAL || r.family() == unix.AF_INET6 && linkLocal.Contains(r.destination().Addr())
}
