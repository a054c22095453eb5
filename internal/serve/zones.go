package serve

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"kvmnet/internal/plan"
)

// zones are the DNS zones of all networks, and whose they are. All networks share
// them: with a list each, every one would change when one comes or goes.
type zones struct{ now atomic.Pointer[zoneMap] }

type zoneMap struct {
	of    map[string][]owner  // by zone, in lower case with its final dot
	joins map[string][]string // network → networks whose names its guests may ask for
}

// owner is a network that has a zone, and where it is asked for its names.
type owner struct {
	network, ns string
	listen      []netip.Addr
}

func (z *zones) set(want []plan.Service) {
	m := &zoneMap{map[string][]owner{}, map[string][]string{}}
	for _, w := range want {
		if len(w.Joins) > 0 {
			m.joins[w.Network] = w.Joins
		}
		if w.DNS == nil {
			continue
		}
		for _, zone := range w.DNS.Zones() {
			m.of[zone+"."] = append(m.of[zone+"."], owner{w.Network, w.NS, w.DNS.Listen})
		}
	}
	z.now.Store(m)
}

// others returns a function that tells whether a zone is another network's, and
// neither that network's as well nor one that is shared with it.
func (z *zones) others(network string) func(zone string) bool {
	return func(zone string) bool {
		m := z.now.Load()
		if m == nil || len(m.of[zone]) == 0 {
			return false
		}
		mine := func(o owner) bool { return o.network == network || slices.Contains(m.joins[network], o.network) }
		return !slices.ContainsFunc(m.of[zone], mine)
	}
}

// joined finds the network that has a zone and shares its names with another one.
// Of several the first counts.
func (z *zones) joined(network, zone string) (owner, bool) {
	m := z.now.Load()
	if m == nil || len(m.joins[network]) == 0 {
		return owner{}, false
	}
	i := slices.IndexFunc(m.of[zone], func(o owner) bool { return slices.Contains(m.joins[network], o.network) })
	if i < 0 {
		return owner{}, false
	}
	return m.of[zone][i], true
}
