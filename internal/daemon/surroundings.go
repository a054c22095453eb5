package daemon

import (
	"context"
	"maps"
	"slices"

	"kvmnet/internal/doctor"
)

// Surroundings implements manage.Insight.
func (i insight) Surroundings(ctx context.Context, p *doctor.Patient) (err error) {
	ns, _, rules, there := i.system.Namespace("")
	if !there {
		return nil
	}
	if p.Settings, err = doctor.LookAtSettings(ns, slices.Sorted(maps.Keys(p.Facts.Links))); err != nil {
		return err
	}
	if p.Legacy, err = doctor.LookAtLegacy(ns); err != nil {
		return err
	}
	chains, err := rules.ForeignChains()
	for _, c := range chains {
		p.Chains = append(p.Chains, doctor.Chain(c))
	}
	if err != nil {
		return err
	}
	for _, server := range i.upstreams.Servers() {
		p.Resolvers = append(p.Resolvers, server.String())
	}
	return i.aroundHost(ctx, p)
}

// aroundHost adds what waits for a confirmation, and who else would configure bridges
// of ours.
func (i insight) aroundHost(ctx context.Context, p *doctor.Patient) (err error) {
	if p.Changes, err = i.host.Changes(ctx); err != nil {
		return err
	}
	var bridges []string
	for name, l := range p.Facts.Links {
		if l.Type == "bridge" && l.Owner() != "" {
			bridges = append(bridges, name)
		}
	}
	claims, err := i.host.Claimants(bridges)
	p.Managers = map[string]doctor.Manager{}
	for link, c := range claims {
		p.Managers[link] = doctor.Manager{Name: string(c.Manager), Why: c.Why}
	}
	return err
}
