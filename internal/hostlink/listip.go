package hostlink

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// family is what an interface has of one family; nil is nothing but what the kernel
// makes by itself.
func (v view) family(d device, family uint8) *spec.InterfaceIP {
	var ip spec.InterfaceIP
	found := false
	for _, o := range v.addresses {
		a := Address{o}
		if o.family() != family || a.index() != d.index || a.linkLocal() {
			continue
		}
		found = true
		if !a.temporary() {
			ip.Addresses = append(ip.Addresses, a.prefix())
		}
		_, ends := a.lifetime()
		ip.DHCP = ip.DHCP || ends && family == unix.AF_INET
		ip.Autoconf = ip.Autoconf || a.advertised()
	}
	for _, o := range v.routes {
		r := Route{Object: o}
		if o.family() != family || !r.byUser() || r.device() != d.index {
			continue
		}
		found = true
		ip.Autoconf = ip.Autoconf || r.protocol() == unix.RTPROT_RA
		if to, ok := r.model(); ok && !slices.Contains(ip.Routes, to) {
			ip.Routes = append(ip.Routes, to)
		}
	}
	if !found {
		return nil
	}
	return &ip
}

// model is the route in words of the model, which has but one table.
func (r Route) model() (spec.InterfaceRoute, bool) {
	if r.table() != unix.RT_TABLE_MAIN || r.kind() != unix.RTN_UNICAST || r.Attrs.has(attrNexthop) || r.Attrs.has(unix.RTA_MULTIPATH) {
		return spec.InterfaceRoute{}, false
	}
	m := spec.InterfaceRoute{
		To: r.destination(), Via: r.Attrs.addr(unix.RTA_GATEWAY), Metric: int(r.Attrs.number(unix.RTA_PRIORITY)),
		OnLink: r.flags()&unix.RTNH_F_ONLINK != 0, Source: r.Attrs.addr(unix.RTA_PREFSRC),
	}
	if via := r.Attrs.get(unix.RTA_VIA); len(via) > 2 {
		m.Via, _ = netip.AddrFromSlice(via[2:])
	}
	if r.family() == unix.AF_INET6 && m.Metric == defaultMetric6 {
		m.Metric = 0
	}
	return m, true
}

// defaultMetric6 is IP6_RT_PRIO_USER, what a route has that is given no metric.
const defaultMetric6 = 1024
