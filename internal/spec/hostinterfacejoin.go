package spec

import (
	"fmt"
	"slices"
)

// Joined is a bridge into which an interface moves with its addresses, beside what the
// bridge has: its own come first. What the two contradict each other in is told by the
// names of the fields.
func (i HostInterface) Joined(port HostInterface) (HostInterface, []string) {
	b := i.Clone()
	if b.Bridge == nil {
		b.Bridge = &BridgeDetails{}
	}
	var faults []string
	b.IPv4, faults = joinedIP("ipv4", i.IPv4, port.IPv4, faults)
	b.IPv6, faults = joinedIP("ipv6", i.IPv6, port.IPv6, faults)
	if len(b.Bridge.Ports) == 0 && b.MTU == 0 {
		b.MTU = port.MTU
	}
	port.Start, port.IPv4, port.IPv6 = "", nil, nil
	b.Bridge.Ports = append(b.Bridge.Ports, port)
	return b, faults
}

// joinedIP is one family of two interfaces. Neither is changed.
func joinedIP(family string, mine, theirs *InterfaceIP, faults []string) (*InterfaceIP, []string) {
	if mine == nil || theirs == nil {
		return firstIP(mine, theirs), faults
	}
	all := *mine
	all.PeerDNS = joinedPeerDNS(mine, theirs)
	if mine.DHCP && theirs.DHCP && takesDNS(mine) != takesDNS(theirs) {
		faults = append(faults, family+".peerDNS")
	}
	all.DHCP, all.Autoconf = mine.DHCP || theirs.DHCP, mine.Autoconf || theirs.Autoconf
	all.Addresses = together(mine.Addresses, theirs.Addresses)
	all.Routes = together(mine.Routes, theirs.Routes)
	all.DNS = together(mine.DNS, theirs.DNS)
	all.Search = together(mine.Search, theirs.Search)
	for _, r := range all.Routes[len(mine.Routes):] {
		for _, other := range mine.Routes {
			if r.To == other.To && r.Metric == other.Metric {
				faults = append(faults, fmt.Sprintf("%s.routes to %s", family, r.To))
			}
		}
	}
	return &all, faults
}

func firstIP(list ...*InterfaceIP) *InterfaceIP {
	for _, f := range list {
		if f != nil {
			return f
		}
	}
	return nil
}

// joinedPeerDNS is what the one says that asks for an address.
func joinedPeerDNS(mine, theirs *InterfaceIP) *bool {
	if mine.DHCP && mine.PeerDNS != nil || !theirs.DHCP {
		return mine.PeerDNS
	}
	return theirs.PeerDNS
}

func takesDNS(f *InterfaceIP) bool { return f.PeerDNS == nil || *f.PeerDNS }

// together is a list, and what of another is not in it.
func together[T comparable](list, more []T) []T {
	list = slices.Clone(list)
	for _, v := range more {
		if !slices.Contains(list, v) {
			list = append(list, v)
		}
	}
	return list
}
