package manage

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// fits checks the networks that are about to run, or to run in another way:
// beside those that run, which may do so with an older definition, and beside
// what the host itself uses.
func (m *Manager) fits(ctx context.Context, in *input, before, after world) error {
	if maps.Equal(before.running.Networks, after.running.Networks) {
		return nil
	}
	var problems []api.Problem
	for _, p := range brought(before.segments(), after.segments()) {
		problems = append(problems, in.place(p))
	}
	taken, err := m.taken(ctx, in, before, after)
	if err != nil {
		return internal(err)
	}
	if problems = append(problems, taken...); len(problems) > 0 {
		return &api.Error{Code: api.CodeConflict, Message: count(len(problems)), Problems: problems}
	}
	return nil
}

// segments is what runs without its ports, which may wait for a network.
func (w world) segments() *spec.Spec {
	return &spec.Spec{Networks: w.running.Networks, Bridges: w.live().Bridges}
}

// taken returns the subnets that are about to be used and that the host uses. What
// runs already goes on, whatever the host has taken up since.
func (m *Manager) taken(ctx context.Context, in *input, before, after world) ([]api.Problem, error) {
	have, err := m.engine.Have(ctx)
	if err != nil {
		return nil, err
	}
	taken := plan.TakenBy(have)
	var problems []api.Problem
	for _, name := range slices.Sorted(maps.Keys(after.running.Networks)) {
		old, n := before.running.Networks[name], after.running.Networks[name]
		if old != nil && reflect.DeepEqual(old.Subnets, n.Subnets) {
			continue
		}
		for i, s := range n.Subnets {
			if t, hit := taken.Blocks(s.Address.Masked()); hit {
				path := spec.Field(spec.Index(spec.Field(spec.Field("networks", name), "subnets"), i), "address")
				problems = append(problems, in.place(spec.Problem{Path: path,
					Message: fmt.Sprintf("%s is in use on this host: %s", s.Address.Masked(), t.By),
					Hint:    freeHint(s.Address, append(taken.Prefixes(), subnets(after.all())...))}))
			}
		}
	}
	return problems, nil
}

func freeHint(p netip.Prefix, taken []netip.Prefix) string {
	free, err := spec.FreeSubnet(taken)
	if err != nil || !p.Addr().Is4() {
		return "choose another prefix"
	}
	return fmt.Sprintf("choose another, %s is free", free)
}

// subnets lists the prefixes of all networks and host bridges.
func subnets(s *spec.Spec) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range s.Networks {
		for _, sub := range n.Subnets {
			list = append(list, sub.Address.Masked())
		}
	}
	for _, b := range s.Bridges {
		list = append(list, b.Addresses...)
	}
	return list
}
