package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// The defaults of router advertisements are those of RFC 4861 section 6.2.1, but
// for the lifetimes of prefixes: its 30 and 7 days outlive a lab by far.
const (
	defaultHopLimit = 64
	defaultPrefer   = "medium"
	slaacBits       = 64 // RFC 4291 section 2.5.1

	defaultInterval spec.Seconds = 600
	defaultLifetime spec.Seconds = 3 * defaultInterval
	prefixValid     spec.Seconds = 86400
	prefixPreferred spec.Seconds = 14400
)

// advertise works out router advertisements: on for every network with an IPv6
// subnet, unless switched off.
func (v *serving) advertise(n *spec.Network, dhcp *DHCP) *RA {
	w := spec.RA{}
	if n.RA != nil {
		w = *n.RA
	}
	gateways := v.gateways(n, true)
	if len(gateways) == 0 || !spec.Truth(w.Enabled) {
		return nil
	}
	ra := &RA{
		Interval: cmp.Or(w.Interval, defaultInterval), Lifetime: routerLifetime(n, w.Lifetime),
		Preference: cmp.Or(w.Preference, defaultPrefer), HopLimit: cmp.Or(w.HopLimit, defaultHopLimit),
		Managed: givesAddresses(dhcp), Other: servesLink(dhcp),
		MTU: v.mtu(n), DNS: resolvers(n, gateways[0]),
	}
	override(&ra.Managed, w.Managed)
	override(&ra.Other, w.Other)
	if ra.Lifetime == 0 {
		ra.Preference = defaultPrefer // RFC 4191 section 2.2 wants no other
	}
	if domain := domainOf(n); domain != "" {
		ra.Search = []string{domain}
	}
	ra.Prefixes, ra.Routes = v.raPrefixes(n, dhcp), raRoutes(w.Routes, ra.Interval)
	return ra
}

func override(value *bool, written *bool) {
	if written != nil {
		*value = *written
	}
}

// routerLifetime is how long guests may take the gateway for their default router:
// not at all where it does not lead out.
func routerLifetime(n *spec.Network, written *spec.Seconds) spec.Seconds {
	switch {
	case written != nil:
		return *written
	case n.Mode == spec.Isolated:
		return 0
	}
	return defaultLifetime
}

// givesAddresses reports whether guests of the link get addresses by DHCPv6.
func givesAddresses(d *DHCP) bool {
	return d != nil && slices.ContainsFunc(d.Scopes, func(s Scope) bool { return !s.Far && len(s.Ranges)+len(s.Reservations) > 0 })
}

// servesLink reports whether DHCPv6 is for guests of the link, and not only for
// those behind relay agents.
func servesLink(d *DHCP) bool {
	return d != nil && slices.ContainsFunc(d.Scopes, func(s Scope) bool { return !s.Far })
}

func (v *serving) raPrefixes(n *spec.Network, dhcp *DHCP) []RAPrefix {
	var list []RAPrefix
	for _, s := range n.Subnets {
		if s.Address.Addr().Is4() || !v.usable(s) {
			continue
		}
		p := RAPrefix{Prefix: s.Address.Masked(), Valid: prefixValid, Preferred: prefixPreferred}
		p.Autonomous = s.Address.Bits() == slaacBits && !dynamic(dhcp, p.Prefix)
		override(&p.Autonomous, s.SLAAC)
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b RAPrefix) int { return a.Prefix.Compare(b.Prefix) })
	return list
}

// dynamic reports whether DHCPv6 gives addresses of the prefix to anybody.
func dynamic(d *DHCP, p netip.Prefix) bool {
	return d != nil && slices.ContainsFunc(d.Scopes, func(s Scope) bool { return s.Prefix == p && len(s.Ranges) > 0 })
}

func raRoutes(written []spec.RARoute, interval spec.Seconds) []spec.RARoute {
	var list []spec.RARoute
	for _, r := range written {
		list = append(list, spec.RARoute{
			To: r.To.Masked(), Lifetime: cmp.Or(r.Lifetime, 3*interval), Preference: cmp.Or(r.Preference, defaultPrefer),
		})
	}
	slices.SortFunc(list, func(a, b spec.RARoute) int { return a.To.Compare(b.To) })
	return list
}
