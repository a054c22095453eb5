package radv

import (
	"net"
	"net/netip"
	"time"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// shortestDNS is the least lifetime that resolvers and search domains get: with a
// short interval, three advertisements may all be lost in one busy moment of a guest.
const shortestDNS = time.Minute

// message encodes an advertisement of what ra says and of gone, options whose
// lifetimes are 0. The checksum is left 0.
func message(ra plan.RA, mac spec.MAC, gone []ndp.Option) ([]byte, error) {
	m := &ndp.RouterAdvertisement{
		CurrentHopLimit:           uint8(ra.HopLimit),
		ManagedConfiguration:      ra.Managed,
		OtherConfiguration:        ra.Other,
		RouterSelectionPreference: preference(ra.Preference),
		RouterLifetime:            min(lifetime(ra.Lifetime), longestRouter),
	}
	if m.RouterLifetime == 0 {
		m.RouterSelectionPreference = ndp.Medium // RFC 4191 section 2.2: 00 when it is no default router
	}
	m.Options = append(m.Options, link(ra, mac)...)
	m.Options = append(m.Options, expiring(ra)...)
	m.Options = append(m.Options, gone...)
	return ndp.MarshalMessage(m)
}

// longestRouter is the longest lifetime of a default router (RFC 4861 section 6.2.1).
const longestRouter = 9000 * time.Second

// link are the options that tell of the link itself and have no lifetime.
func link(ra plan.RA, mac spec.MAC) []ndp.Option {
	options := []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: net.HardwareAddr(mac[:])}}
	if ra.MTU > 0 {
		options = append(options, ndp.NewMTU(uint32(ra.MTU)))
	}
	return options
}

// expiring are the options with lifetimes, which must be withdrawn when they go.
func expiring(ra plan.RA) []ndp.Option {
	var options []ndp.Option
	for _, p := range ra.Prefixes {
		options = append(options, prefix(p))
	}
	for _, r := range ra.Routes {
		options = append(options, route(r))
	}
	dns := max(3*lifetime(ra.Interval), shortestDNS) // RFC 8106 section 5.1
	if servers := ipv6(ra.DNS); len(servers) > 0 {
		options = append(options, &ndp.RecursiveDNSServer{Lifetime: dns, Servers: servers})
	}
	if len(ra.Search) > 0 {
		options = append(options, &ndp.DNSSearchList{Lifetime: dns, DomainNames: ra.Search})
	}
	return options
}

func prefix(p plan.RAPrefix) *ndp.PrefixInformation {
	valid := lifetime(p.Valid)
	return &ndp.PrefixInformation{
		PrefixLength:                   uint8(p.Prefix.Bits()),
		OnLink:                         true,
		AutonomousAddressConfiguration: p.Autonomous,
		ValidLifetime:                  valid,
		PreferredLifetime:              min(lifetime(p.Preferred), valid), // RFC 4862 section 5.5.3: ignored otherwise
		Prefix:                         p.Prefix.Masked().Addr(),
	}
}

func route(r spec.RARoute) *ndp.RouteInformation {
	return &ndp.RouteInformation{
		PrefixLength:  uint8(r.To.Bits()),
		Preference:    preference(r.Preference),
		RouteLifetime: lifetime(r.Lifetime),
		Prefix:        r.To.Masked().Addr(),
	}
}

func ipv6(addrs []netip.Addr) []netip.Addr {
	var six []netip.Addr
	for _, a := range addrs {
		if a.Is6() && !a.Is4In6() {
			six = append(six, a.WithZone(""))
		}
	}
	return six
}

// lifetime turns a duration into one that the codec writes; infinite is all bits set.
func lifetime(s spec.Seconds) time.Duration {
	if s == spec.Infinite {
		return ndp.Infinity
	}
	return min(time.Duration(s)*time.Second, ndp.Infinity)
}

func preference(s string) ndp.Preference {
	switch s {
	case "low":
		return ndp.Low
	case "high":
		return ndp.High
	}
	return ndp.Medium
}
