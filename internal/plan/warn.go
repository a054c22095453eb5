package plan

import (
	"cmp"
	"slices"

	"kvmnet/internal/spec"
)

// Warnings tells what live objects wait for on this host: an uplink, a bridge,
// a NIC, the address of a guest. Build leaves it out and takes it in when it comes. And it tells which
// settings of a network do nothing, though they look as if they did.
func Warnings(live *spec.Spec, facts Facts) []Conflict {
	var warnings []Conflict
	warn := func(owner, message string) { warnings = append(warnings, Conflict{owner, message}) }
	for name, n := range live.Networks {
		_, bridge := facts.Links[n.Bridge.Name]
		_, uplink := facts.Links[n.Uplink]
		_, declared := live.Bridges[n.Bridge.Name]
		switch {
		case n.Direct != nil:
			for _, nic := range n.Direct.Devices {
				if _, there := facts.Links[nic]; !there {
					warn("network/"+name, "waits for interface "+nic+", which does not exist")
				}
			}
		case n.Mode == spec.Bridge && !bridge && !declared:
			warn("network/"+name, "waits for bridge "+n.Bridge.Name+", which does not exist")
		case n.Uplink != "" && !uplink:
			warn("network/"+name, "waits for uplink "+n.Uplink+", which does not exist")
		case n.Uplink == "" && n.Mode.Forwards() && len(facts.Uplinks4)+len(facts.Uplinks6) == 0:
			warn("network/"+name, "waits for an uplink: the host has no default route")
		}
	}
	l := newLayout(live, facts)
	for name, n := range live.Networks {
		for _, message := range l.idle(name, n) {
			warn("network/"+name, message)
		}
	}
	for name, b := range live.Bridges {
		for _, port := range b.Ports {
			if _, there := facts.Links[port]; !there {
				warn("bridge/"+name, "waits for interface "+port+", which does not exist")
			}
		}
	}
	for name, p := range live.Ports {
		if p.Owner != "" && facts.UIDs[p.Owner] == "" {
			warn("port/"+name, "waits for user "+p.Owner+", who does not exist")
		}
		if _, runs := live.Networks[p.Network]; !runs {
			warn("port/"+name, "waits for network "+p.Network+", which does not run")
		}
		if message := l.directWaits(name, p); message != "" {
			warn("port/"+name, message)
		}
	}
	for name, r := range sorted(live.Routers) {
		for _, message := range l.routerWaits(name, r) {
			warn(routerOwner(name), message)
		}
	}
	for name, f := range sorted(live.Forwards) {
		if message := l.forwardWaits(f); message != "" {
			warn("forward/"+name, message)
		}
	}
	for name, p := range sorted(live.Policies) {
		if message := l.policyIdles(name, p); message != "" {
			warn("policy/"+name, message)
		}
	}
	slices.SortFunc(warnings, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Message, b.Message))
	})
	return warnings
}

// idle lists what of a network's settings has no effect on the host and in routers.
func (l *layout) idle(name string, n *spec.Network) (list []string) {
	subnets := n.Subnets
	for _, e := range l.ends[name] {
		if e.i != nil {
			subnets = slices.Concat(subnets, e.i.Gateways())
		}
	}
	has := func(is func(spec.Subnet) bool) bool { return slices.ContainsFunc(subnets, is) }
	list = l.natIdles(n)
	if n.DHCP != nil && !has(func(s spec.Subnet) bool { return s.DHCP != nil }) {
		list = append(list, "has DHCP settings, but no subnet with dhcp: nobody is given an address")
	}
	if n.DNS != nil && spec.Truth(n.DNS.Enabled) && len(subnets) == 0 {
		list = append(list, "has DNS settings, but no subnet: nobody answers for its names")
	}
	if !l.facts.IPv6 && has(func(s spec.Subnet) bool { return s.Address.Addr().Is6() }) {
		list = append(list, "has an IPv6 subnet, but the kernel has no IPv6: it is left out")
	}
	return list
}
