package plan

import (
	"cmp"
	"slices"

	"kvmnet/internal/spec"
)

// Warnings tells what live objects wait for on this host: an uplink, a bridge,
// a NIC. Build leaves it out and takes it in when it comes.
func Warnings(live *spec.Spec, facts Facts) []Conflict {
	var warnings []Conflict
	warn := func(owner, message string) { warnings = append(warnings, Conflict{owner, message}) }
	for name, n := range live.Networks {
		_, bridge := facts.Links[n.Bridge.Name]
		_, uplink := facts.Links[n.Uplink]
		_, declared := live.Bridges[n.Bridge.Name]
		switch {
		case n.Mode == spec.Bridge && !bridge && !declared:
			warn("network/"+name, "waits for bridge "+n.Bridge.Name+", which does not exist")
		case n.Uplink != "" && !uplink:
			warn("network/"+name, "waits for uplink "+n.Uplink+", which does not exist")
		case n.Uplink == "" && n.Mode.Forwards() && len(facts.Uplinks4)+len(facts.Uplinks6) == 0:
			warn("network/"+name, "waits for an uplink: the host has no default route")
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
	}
	slices.SortFunc(warnings, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Message, b.Message))
	})
	return warnings
}
