package hostlink

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// connected are the routes that the kernel makes with an address.
func (a Address) connected() []Route {
	if !a.whole() || a.flags()&unix.IFA_F_NOPREFIXROUTE != 0 || a.linkLocal() {
		return nil
	}
	if a.family() == unix.AF_INET {
		return a.connected4()
	}
	metric := a.Attrs.number(unix.IFA_RT_PRIORITY)
	if metric == 0 {
		metric = addressMetric6
	}
	list := []Route{kernelRoute(a.prefix().Masked(), unix.RT_SCOPE_UNIVERSE, metric, netip.Addr{})}
	if p := a.peer(); p.IsValid() {
		list = append(list, kernelRoute(netip.PrefixFrom(p, 128), unix.RT_SCOPE_UNIVERSE, metric, netip.Addr{}))
	}
	return list
}

// whole says whether an address and its peer are of the family, and its length is.
func (a Address) whole() bool {
	four := a.family() == unix.AF_INET
	p := a.peer()
	return a.prefix().IsValid() && a.local().Is4() == four && (!p.IsValid() || p.Is4() == four)
}

// subnet is what IPv4 addresses have in common of which one is primary, and the others
// are secondary to it (inet_insert_ifa in net/ipv4/devinet.c).
func (a Address) subnet() netip.Prefix {
	to := a.prefix()
	if p := a.peer(); p.IsValid() {
		to = netip.PrefixFrom(p, to.Bits())
	}
	return to.Masked()
}

// taken are the routes that the kernel takes with an address for sure. Those of an IPv6
// address stay when it has an end, or when another address is in the prefix, whatever
// the metric (check_cleanup_prefix_route in net/ipv6/addrconf.c).
func (a Address) taken() []Route {
	if a.family() == unix.AF_INET6 {
		return nil
	}
	return a.connected()
}

// addressMetric6 is IP6_RT_PRIO_ADDRCONF.
const addressMetric6 = 256

// connected4 follows fib_add_ifaddr (net/ipv4/fib_frontend.c): a secondary address and
// one that is alone in its prefix have none.
func (a Address) connected4() []Route {
	to := a.prefix()
	if p := a.peer(); p.IsValid() {
		to = netip.PrefixFrom(p, to.Bits())
	} else if to.Bits() == 32 {
		return nil
	}
	if a.secondary() || to.Masked().Addr().As4()[0] == 0 {
		return nil
	}
	scope := uint8(unix.RT_SCOPE_LINK)
	if a.scope() == unix.RT_SCOPE_HOST && to.Masked().Addr().IsLoopback() {
		scope = unix.RT_SCOPE_HOST
	}
	return []Route{kernelRoute(to.Masked(), scope, a.Attrs.number(unix.IFA_RT_PRIORITY), a.local())}
}

func kernelRoute(to netip.Prefix, scope uint8, metric uint32, source netip.Addr) Route {
	r := Route{Object: Object{Head: make([]byte, unix.SizeofRtMsg)}}
	r.Head[0], r.Head[1] = unix.AF_INET, uint8(to.Bits())
	if to.Addr().Is6() {
		r.Head[0] = unix.AF_INET6
	}
	r.Head[4], r.Head[5], r.Head[6], r.Head[7] = unix.RT_TABLE_MAIN, unix.RTPROT_KERNEL, scope, unix.RTN_UNICAST
	r.Attrs = Attrs{{unix.RTA_TABLE, bytes32(unix.RT_TABLE_MAIN)}}
	if to.Bits() > 0 {
		r.Attrs = append(r.Attrs, Attr{unix.RTA_DST, to.Addr().AsSlice()})
	}
	if metric != 0 {
		r.Attrs = append(r.Attrs, Attr{unix.RTA_PRIORITY, bytes32(metric)})
	}
	if source.IsValid() {
		r.Attrs = append(r.Attrs, Attr{unix.RTA_PREFSRC, source.AsSlice()})
	}
	return r
}
