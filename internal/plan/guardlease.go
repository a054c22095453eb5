package plan

import (
	"maps"
	"slices"

	"kvmnet/internal/spec"
)

// Permits tells, of the guests of one spec, by which rows each may use an address that
// it is about to lease. A later Build wants the same, since the lease is in its facts
// by then.
type Permits struct{ g *guarding }

// NewPermits works out what is needed of a spec.
func NewPermits(live *spec.Spec) *Permits { return &Permits{newGuarding(live, Facts{})} }

// GuardedNetworks names the networks on which the address of some guest is guarded,
// sorted.
func GuardedNetworks(live *spec.Spec) []string {
	guarded := map[string]bool{}
	for name, n := range live.Networks {
		guarded[name] = n != nil && n.Guard.Has(spec.GuardAddress)
	}
	for _, p := range live.Ports {
		if p != nil && p.Guard.Has(spec.GuardAddress) {
			guarded[p.Network] = live.Networks[p.Network] != nil
		}
	}
	maps.DeleteFunc(guarded, func(_ string, on bool) bool { return !on })
	return slices.Sorted(maps.Keys(guarded))
}

// guardsAddresses reports whether a network is one of them.
func guardsAddresses(live *spec.Spec, network string) bool {
	if n := live.Networks[network]; n != nil && n.Guard.Has(spec.GuardAddress) {
		return true
	}
	for _, p := range live.Ports {
		if p != nil && p.Network == network && p.Guard.Has(spec.GuardAddress) {
			return true
		}
	}
	return false
}

// Of returns the rows for a lease; none where the guest is not guarded.
func (p *Permits) Of(network string, l Leased) []Element {
	n := p.g.live.Networks[network]
	link := p.g.linkOf(network, l)
	if n == nil || link == "" {
		return nil
	}
	w := ward{owner: Mark("network/" + network), network: network, link: link}
	if name := p.g.ours[link]; name != "" {
		port := p.g.live.Ports[name]
		w.owner, w.port, w.mac = Mark("port/"+name), port, port.MAC
	}
	if !n.GuardOf(w.port).Has(spec.GuardAddress) {
		return nil
	}
	return p.g.segment(network).permit(w, l.Addr)
}
