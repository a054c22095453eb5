package radv

import (
	"net/netip"
	"slices"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// withdrawn is an option that is no longer true, on its way out with lifetime 0.
type withdrawn struct {
	option ndp.Option
	left   int // multicast advertisements that still carry it
}

// withdraw lists what before said and now does not, with lifetimes 0, so that
// guests drop it at once instead of when it runs out.
func withdraw(before, now plan.RA) []ndp.Option {
	var gone []ndp.Option
	for _, p := range before.Prefixes {
		if !slices.ContainsFunc(now.Prefixes, func(q plan.RAPrefix) bool { return q.Prefix.Masked() == p.Prefix.Masked() }) {
			p.Valid, p.Preferred = 0, 0
			gone = append(gone, prefix(p))
		}
	}
	for _, r := range before.Routes {
		if !slices.ContainsFunc(now.Routes, func(q spec.RARoute) bool { return q.To.Masked() == r.To.Masked() }) {
			r.Lifetime = 0
			gone = append(gone, route(r))
		}
	}
	if servers := without(ipv6(before.DNS), ipv6(now.DNS)); len(servers) > 0 {
		gone = append(gone, &ndp.RecursiveDNSServer{Servers: servers})
	}
	if domains := without(before.Search, now.Search); len(domains) > 0 {
		gone = append(gone, &ndp.DNSSearchList{DomainNames: domains})
	}
	return gone
}

func without[T comparable](from, taken []T) []T {
	return slices.DeleteFunc(slices.Clone(from), func(v T) bool { return slices.Contains(taken, v) })
}

// still drops from gone what now says again: a prefix, a route or the lists of the
// name service, of which only the missing entries stay.
func still(gone []withdrawn, now plan.RA) []withdrawn {
	var kept []withdrawn
	for _, g := range gone {
		if option := missing(g.option, now); option != nil {
			kept = append(kept, withdrawn{option, g.left})
		}
	}
	return kept
}

func missing(o ndp.Option, now plan.RA) ndp.Option {
	before := plan.RA{}
	switch o := o.(type) {
	case *ndp.PrefixInformation:
		before.Prefixes = []plan.RAPrefix{{Prefix: netip.PrefixFrom(o.Prefix, int(o.PrefixLength)), Autonomous: o.AutonomousAddressConfiguration}}
	case *ndp.RouteInformation:
		before.Routes = []spec.RARoute{{To: netip.PrefixFrom(o.Prefix, int(o.PrefixLength))}}
	case *ndp.RecursiveDNSServer:
		before.DNS = o.Servers
	case *ndp.DNSSearchList:
		before.Search = o.DomainNames
	}
	if gone := withdraw(before, now); len(gone) > 0 {
		return gone[0]
	}
	return nil
}

// parting is the last advertisement of a router that goes away: no default route,
// no routes, no resolvers. Addresses stay valid: guests still reach each other.
func parting(ra plan.RA) (plan.RA, []ndp.Option) {
	last := ra
	last.Lifetime, last.Routes, last.DNS, last.Search = 0, nil, nil, nil
	return last, withdraw(ra, last)
}
