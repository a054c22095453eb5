package hostnet

import (
	"net/netip"
	"slices"
	"time"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/spec"
)

// leaseMetric is that of routes that a lease brings, as systemd-networkd has it: routes
// that somebody wrote down come first, on whatever interface they are.
const leaseMetric = 1024

// wants is what the kernel is to have of a lease. What the definition says of a
// destination wins.
func (l lessee) wants(lease Lease) hostlink.Lease {
	own := spec.InterfaceIP{}
	if l.defined.IPv4 != nil {
		own = *l.defined.IPv4
	}
	want := hostlink.Lease{Address: lease.Address, Forever: lease.Ends.IsZero() || slices.Contains(own.Addresses, lease.Address)}
	if !want.Forever {
		want.Left = time.Until(lease.Ends)
	}
	routes := slices.Clone(lease.Routes)
	if lease.Gateway.IsValid() {
		routes = append(routes, spec.InterfaceRoute{To: netip.MustParsePrefix("0.0.0.0/0"), Via: lease.Gateway})
	}
	for _, r := range routes {
		if !slices.ContainsFunc(own.Routes, func(o spec.InterfaceRoute) bool { return o.To == r.To }) {
			want.Routes = append(want.Routes, spec.InterfaceRoute{To: r.To, Via: r.Via, Metric: leaseMetric, OnLink: !onLink(r.Via, lease.Address, routes)})
		}
	}
	for _, r := range own.Routes {
		if needsLease(r, own) && (!r.Via.IsValid() || r.OnLink || onLink(r.Via, lease.Address, own.Routes)) {
			want.Routes = append(want.Routes, r)
		}
	}
	return want
}

// onLink reports whether the kernel finds a gateway on the link, or there is none.
func onLink(via netip.Addr, address netip.Prefix, routes []spec.InterfaceRoute) bool {
	return !via.IsValid() || address.Masked().Contains(via) ||
		slices.ContainsFunc(routes, func(r spec.InterfaceRoute) bool { return !r.Via.IsValid() && r.To.Contains(via) })
}

// needsLease reports whether a route of a definition has its gateway, or its source, only
// by an address that a server gives.
func needsLease(r spec.InterfaceRoute, ip spec.InterfaceIP) bool {
	if !ip.DHCP {
		return false
	}
	has := func(a netip.Addr) bool {
		return slices.ContainsFunc(ip.Addresses, func(p netip.Prefix) bool { return p.Addr() == a })
	}
	reaches := func(a netip.Addr) bool {
		return slices.ContainsFunc(ip.Addresses, func(p netip.Prefix) bool { return p.Masked().Contains(a) })
	}
	if r.Source.IsValid() && !has(r.Source) {
		return true
	}
	return r.Via.IsValid() && !r.OnLink && !reaches(r.Via) && !onLink(r.Via, netip.Prefix{}, ip.Routes)
}

// unleased is an interface without the routes that need a lease: they come with it.
func unleased(i spec.HostInterface) spec.HostInterface {
	if i.IPv4 != nil {
		ip := *i.IPv4
		ip.Routes = slices.DeleteFunc(slices.Clone(ip.Routes), func(r spec.InterfaceRoute) bool { return needsLease(r, *i.IPv4) })
		i.IPv4 = &ip
	}
	return i
}

// notStatic are the addresses that the definition does not have for good.
func (l lessee) notStatic(list []netip.Prefix) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(list), func(a netip.Prefix) bool {
		return l.defined.IPv4 != nil && slices.Contains(l.defined.IPv4.Addresses, a)
	})
}
