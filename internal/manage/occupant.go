package manage

import (
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
)

// unfit is the error of an input with problems. Of a network alone whose subnet is in
// use it names the interface, as libvirt does.
func (m *Manager) unfit(ctx context.Context, in *input, problems []api.Problem, before, after world) error {
	err := &api.Error{Code: api.CodeConflict, Message: count(len(problems)), Problems: problems}
	if !in.alone {
		return err
	}
	have, failed := m.engine.Have(ctx)
	if failed != nil {
		return internal(failed)
	}
	if link := occupant(have, before, after); link != "" {
		err.Reason, err.Message = api.ReasonSubnetInUse, "Network is already in use by interface "+link
	}
	return err
}

// occupant names the interface that has a subnet of a network which is about to run;
// "" when none has.
func occupant(have plan.State, before, after world) string {
	for _, name := range slices.Sorted(maps.Keys(after.running.Networks)) {
		old, n := before.running.Networks[name], after.running.Networks[name]
		if old != nil && reflect.DeepEqual(old.Subnets, n.Subnets) {
			continue
		}
		for _, s := range n.Subnets {
			if link := linkWithin(have, s.Address.Masked(), n.Bridge.Name); link != "" {
				return link
			}
		}
	}
	return ""
}

// linkWithin names an interface of the host, but for one, with an address of a subnet
// or a route to it.
func linkWithin(have plan.State, subnet netip.Prefix, but string) string {
	route := ""
	for _, o := range have.Sorted() {
		switch o := o.(type) {
		case plan.Addr:
			if o.NS == "" && o.Link != but && o.Prefix.Masked().Overlaps(subnet) {
				return o.Link
			}
		case plan.Route:
			if o.NS == "" && o.Link != but && o.Dst.Overlaps(subnet) && o.Dst.Bits() >= subnet.Bits() {
				route = o.Link
			}
		}
	}
	return route
}
