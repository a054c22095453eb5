package plan

import (
	"fmt"
	"maps"

	"kvmnet/internal/spec"
)

// Yield returns what may be brought up of live: without the networks whose subnet
// the host uses itself, so that a host that finds itself inside such a subnet at
// boot keeps its own network. They wait, as conflicts, until it is free. A network
// that is up already stays, with a warning: its guests would lose more than the
// host can win.
func Yield(live *spec.Spec, facts Facts, have State) (*spec.Spec, []Conflict, []Conflict) {
	taken := takenBy(facts, have)
	if len(taken) == 0 {
		return live, nil, nil
	}
	networks, waiting, warnings := maps.Clone(live.Networks), []Conflict(nil), []Conflict(nil)
	for name, n := range sorted(live.Networks) {
		owner := "network/" + name
		t, hit := blocked(n, taken)
		switch {
		case !hit:
		case facts.hasBridge(owner, n.Bridge.Name):
			warnings = append(warnings, Conflict{owner, "shares its subnet with the host: " + t.By})
		default:
			delete(networks, name)
			waiting = append(waiting, Conflict{owner, fmt.Sprintf("waits: its subnet is in use on this host: %s", t.By)})
		}
	}
	free := *live
	free.Networks = networks
	return &free, waiting, warnings
}

// hasBridge reports whether an owner has a bridge already, under its name or under
// one that it is to lose.
func (f *Facts) hasBridge(owner, name string) bool {
	if f.Links[name].Owner() == owner {
		return true
	}
	for _, l := range f.Links {
		if l.Type == "bridge" && l.Owner() == owner {
			return true
		}
	}
	return false
}

func blocked(n *spec.Network, taken TakenList) (Taken, bool) {
	for _, s := range n.Subnets {
		if t, hit := taken.Blocks(s.Address.Masked()); hit {
			return t, true
		}
	}
	return Taken{}, false
}
