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

// fits checks what is about to run, or to run in another way: beside the networks
// that run, which may do so with an older definition, and beside what the host
// itself uses.
func (m *Manager) fits(ctx context.Context, in *input, before, after world) error {
	problems, err := m.held(ctx, in, before, after)
	if err != nil {
		return internal(err)
	}
	if err := hollow(in, before, after); err != nil {
		return err
	}
	if !maps.Equal(before.running.Networks, after.running.Networks) {
		for _, p := range alone(brought(before.segments(), after.segments())) {
			problems = append(problems, in.place(p))
		}
		taken, err := m.taken(ctx, in, before, after)
		if err != nil {
			return internal(err)
		}
		problems = append(problems, taken...)
	}
	if len(problems) > 0 {
		return m.unfit(ctx, in, problems, before, after)
	}
	return nil
}

// hollow refuses to start a network that is on no bridge and on no NIC: it is kept
// for libvirt's tools only.
func hollow(in *input, before, after world) error {
	for _, name := range slices.Sorted(maps.Keys(after.running.Networks)) {
		if n := after.running.Networks[name]; n.Hollow() && before.running.Networks[name] == nil {
			p := in.place(spec.Problem{Path: spec.Field("networks", name), Message: "it names neither a bridge nor a NIC of the host that kvmnet could put guests on"})
			err := conflict("network %s cannot be started here; nothing was changed", name).(*api.Error)
			err.Reason, err.Problems = api.ReasonUnsupported, []api.Problem{p}
			return err
		}
	}
	return nil
}

// segments is what is on the host without ports, which may wait for a network.
func (w world) segments() *spec.Spec {
	s := w.live()
	s.Ports = nil
	return s
}

// alone leaves out the problems of objects that may wait for another one to come.
func alone(list []spec.Problem) []spec.Problem {
	return slices.DeleteFunc(list, func(p spec.Problem) bool { return p.Refers })
}

// held returns the forwards that are about to take a port which a process listens
// on: it would hear nothing any more.
func (m *Manager) held(ctx context.Context, in *input, before, after world) ([]api.Problem, error) {
	var problems []api.Problem
	now, then := after.all(), before.all()
	holders, held := now.Holders(), then.Holders()
	ears := ears{m.insight, map[ear]Holder{}}
	for _, name := range now.Names("forwards") {
		f, router := now.Forwards[name], listener(holders, now.Forwards[name])
		if old := then.Forwards[name]; f.Floating.IsValid() ||
			old != nil && old.Protocol == f.Protocol && old.Listen == f.Listen && listener(held, old) == router {
			continue
		}
		holder, err := ears.holder(ctx, ear{router, f.Protocol}, f.Listen)
		if err != nil {
			return nil, err
		}
		if holder != "" {
			problems = append(problems, in.place(spec.Problem{Path: spec.Field(spec.Field("forwards", name), "listen"),
				Message: fmt.Sprintf("%s %s is in use by %s", f.Protocol, f.Listen, holder),
				Hint:    holderHint(f)}))
		}
	}
	return problems, nil
}

// ears asks once for everybody who listens in a namespace by a protocol.
type ears struct {
	insight Insight
	asked   map[ear]Holder
}

type ear struct {
	ns       string
	protocol spec.Protocol
}

func (e ears) holder(ctx context.Context, at ear, on spec.Listen) (string, error) {
	if e.asked[at] == nil {
		who, err := e.insight.Listeners(ctx, at.ns, at.protocol)
		if err != nil {
			return "", fmt.Errorf("ask who listens on %s %s: %w", at.protocol, on, err)
		}
		e.asked[at] = who
	}
	return e.asked[at](on), nil
}

func holderHint(f *spec.Forward) string {
	if f.Listen.Addr.IsValid() {
		return "choose another port, or stop it"
	}
	return "choose another port, name the address to listen on, or stop it"
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

// subnets lists the prefixes of all networks, host bridges and routers' interfaces.
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
	for _, r := range s.Routers {
		for _, i := range r.Interfaces {
			for _, sub := range i.Gateways() {
				list = append(list, sub.Address.Masked())
			}
		}
	}
	return list
}
