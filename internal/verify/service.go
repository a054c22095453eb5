package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/verify/client"
)

// This file holds the promises about what the host serves on a network: addresses
// and the router, and in name.go names. Guests ask and take nothing.

// services lists them: what is on is served, and to nobody else.
func (r *run) services(s *site, others []*site) (list []promise) {
	four, six := subnets(s, false), subnets(s, true)
	list = append(list, r.offers(s, dhcpOn(four))...)
	if len(six) > 0 && (s.net.RA == nil || spec.Truth(s.net.RA.Enabled)) {
		list = append(list, advertises(s))
	}
	list = append(list, r.offers6(s, dhcpOn(six))...)
	if dnsOn(s.net) {
		for _, l := range s.legs {
			list = append(list, r.names(s, l)...)
		}
	}
	for _, o := range others {
		list = append(list, r.hears(s, o)...)
	}
	return list
}

// subnets lists those of a family, as far as the kernel knows the family.
func subnets(s *site, v6 bool) (list []spec.Subnet) {
	for _, sub := range s.net.Subnets {
		if a := sub.Address.Addr(); a.Is6() == v6 && (!v6 || s.run.host.ipv6) {
			list = append(list, sub)
		}
	}
	return list
}

// dhcpOn lists the subnets that have DHCP.
func dhcpOn(subs []spec.Subnet) []spec.Subnet {
	return slices.DeleteFunc(slices.Clone(subs), func(s spec.Subnet) bool { return s.DHCP == nil || !spec.Truth(s.DHCP.Enabled) })
}

// gateways are the addresses the host has in the subnets.
func gateways(subs []spec.Subnet) (list []netip.Prefix) {
	for _, s := range subs {
		list = append(list, s.Address)
	}
	return list
}

// offers asks for an address by DHCPv4. In which of several subnets it is, the
// server says.
func (r *run) offers(s *site, subs []spec.Subnet) []promise {
	if len(subs) == 0 {
		return nil
	}
	var words []string
	for _, sub := range subs {
		words = append(words, sub.Address.Masked().String())
	}
	text := fmt.Sprintf("guest → address by DHCP (%s)", strings.Join(words, " or "))
	subs = dynamic(subs)
	if len(subs) == 0 {
		return []promise{unproved(text, "an offer", reservedOnly)}
	}
	return []promise{{text, "an offer", func(ctx context.Context) (string, bool) {
		o, err := s.client.Discover(ctx, patience)
		switch {
		case err != nil:
			return err.Error(), false
		case o != nil:
			return worded("an offer", o.Addr, o.Wrong(gateways(subs)...))
		case r.full(s.net, subs): // a server that has nothing to offer is silent
			return allLeased, true
		}
		return "no answer", false
	}}}
}

// offers6 asks for an address by DHCPv6.
func (r *run) offers6(s *site, subs []spec.Subnet) []promise {
	const text, expected = "guest → address by DHCPv6", "an advertise"
	if len(subs) == 0 {
		return nil
	}
	subs = dynamic(subs)
	if len(subs) == 0 {
		return []promise{unproved(text, expected, reservedOnly)}
	}
	return []promise{{text, expected, func(ctx context.Context) (string, bool) {
		a, err := s.client.Solicit(ctx, patience)
		switch {
		case err != nil:
			return err.Error(), false
		case a == nil:
			return "no answer", false
		case !a.Addr.IsValid() && r.full(s.net, subs):
			return allLeased, true
		}
		return worded(expected, a.Addr, a.Wrong(gateways(subs)...))
	}}}
}

const (
	reservedOnly = "only reserved addresses are given"
	allLeased    = "not checked: every address is leased"
)

// dynamic lists the subnets that have addresses for everybody.
func dynamic(subs []spec.Subnet) []spec.Subnet {
	return slices.DeleteFunc(subs, func(s spec.Subnet) bool { return s.DHCP.Static && len(s.DHCP.Ranges) == 0 })
}

// worded says what was offered and what is wrong with it.
func worded(what string, a netip.Addr, wrong string) (string, bool) {
	if a.IsValid() {
		what += " of " + a.String()
	}
	if wrong != "" {
		return what + ": " + wrong, false
	}
	return what, true
}

// full reports whether all addresses that subnets give out are promised or leased
// to somebody.
func (r *run) full(n *spec.Network, subs []spec.Subnet) bool {
	promised := promisedAddresses(n)
	for _, s := range subs {
		ranges := s.DHCP.Ranges
		if len(ranges) == 0 {
			ranges = []spec.LeaseRange{{AddrRange: spec.GuestAddresses(s.Address)}}
		}
		for _, l := range ranges {
			for a := l.From; l.Contains(a); a = a.Next() {
				if !promised[a] && !r.o.Held[a] { // ends at the first of a large range
					return false
				}
			}
		}
	}
	return true
}

// advertises asks for the router: the one with the first address.
func advertises(s *site) promise {
	first := s.leg(true)
	var prefixes []netip.Prefix
	for _, l := range s.legs {
		if l.v6() && l.router == first.router && l.gateway.IsValid() {
			prefixes = append(prefixes, l.prefix)
		}
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	expected := client.Advertised(prefixes, leadsOut(s.net, first.gate))
	return promise{"guest → router advertisement", expected, func(ctx context.Context) (string, bool) {
		ra, err := s.client.SolicitRouter(ctx, patience, first.hop)
		switch {
		case err != nil:
			return err.Error(), false
		case ra == nil:
			return "no answer", false
		}
		slices.SortFunc(ra.Prefixes, netip.Prefix.Compare)
		if wrong := ra.Wrong(); wrong != "" {
			return ra.String() + ": " + wrong, false
		}
		return ra.String(), ra.String() == expected
	}}
}

// leadsOut reports whether guests shall take the gateway for their default router.
func leadsOut(n *spec.Network, g gate) bool {
	switch {
	case n.RA != nil && n.RA.Lifetime != nil:
		return *n.RA.Lifetime > 0
	case g.via != nil:
		return egress(g) != spec.EgressNone
	}
	return n.Mode != spec.Isolated
}
