package hostnet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// leased tells what becomes of a lease. The kernel lets the address end with it, and
// whoever asked for it asks at the NIC, but kvmnet, which goes where the address goes.
func (j *job) leased() error {
	ip := j.move.Live.IPv4
	switch {
	case ip == nil || !ip.DHCP:
	case j.manager == netfiles.Own:
		j.warnings = append(j.warnings, fmt.Sprintf("%s has its address from a DHCP server: kvmnet renews it on %s, at the latest once the change is confirmed", j.nic, j.bridge))
		return j.leaseUnwritten()
	default:
		j.warnings = append(j.warnings, fmt.Sprintf("%s has its address from a DHCP server: it is valid on %s for as long as the lease; "+
			"%s renews it there once the change is confirmed and it has read its files, at the latest after a boot", j.nic, j.bridge, j.manager))
	}
	return nil
}

// leaseUnwritten leaves what a server told out of what is written: it is asked for again.
func (j *job) leaseUnwritten() error {
	var before hostlink.State
	if err := json.Unmarshal(j.move.Before, &before); err != nil {
		return fmt.Errorf("read what %s has: %w", j.nic, err)
	}
	var left []spec.InterfaceRoute
	j.move.Live, left = withoutLease(j.move.Live, hostlink.LeasedAddresses(before))
	for _, r := range left {
		j.warnings = append(j.warnings, fmt.Sprintf("the route to %s by %s is written nowhere: its gateway is in the subnet of the lease, whose server tells the routes", r.To, r.Via))
	}
	return nil
}

// withoutLease is an interface without what a DHCP server told: that is asked for again,
// and not written down. Routes that could not be without it are told, but the default
// one.
func withoutLease(i spec.HostInterface, leased []netip.Prefix) (spec.HostInterface, []spec.InterfaceRoute) {
	ip := *i.IPv4
	all, left := ip.Routes, []spec.InterfaceRoute(nil)
	ip.Addresses = slices.DeleteFunc(slices.Clone(ip.Addresses), func(a netip.Prefix) bool { return slices.Contains(leased, a) })
	ip.Routes = nil
	within := func(list []netip.Prefix, a netip.Addr) bool {
		return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Masked().Contains(a) })
	}
	for _, r := range all {
		by := slices.ContainsFunc(leased, func(p netip.Prefix) bool { return p.Addr() == r.Source })
		switch {
		case by || r.To.Bits() == 0 && len(ip.Addresses) == 0:
		case r.Via.IsValid() && within(leased, r.Via) && !within(ip.Addresses, r.Via):
			if r.To.Bits() > 0 {
				left = append(left, r)
			}
		default:
			ip.Routes = append(ip.Routes, r)
		}
	}
	i.IPv4 = &ip
	return i, left
}
