package serve

import (
	"slices"
	"sync/atomic"

	"kvmnet/internal/plan"
)

// zones are the DNS zones of all networks, and whose they are. All networks share
// them: with a list each, every one would change when one comes or goes.
type zones struct {
	of atomic.Pointer[map[string][]string] // networks by zone, in lower case with its final dot
}

func (z *zones) set(want []plan.Service) {
	of := map[string][]string{}
	for _, w := range want {
		if w.DNS == nil {
			continue
		}
		for _, zone := range w.DNS.Zones() {
			of[zone+"."] = append(of[zone+"."], w.Network)
		}
	}
	z.of.Store(&of)
}

// others returns a function that tells whether a zone is another network's, and
// not that network's as well.
func (z *zones) others(network string) func(zone string) bool {
	return func(zone string) bool {
		of := z.of.Load()
		if of == nil {
			return false
		}
		networks := (*of)[zone]
		return len(networks) > 0 && !slices.Contains(networks, network)
	}
}
