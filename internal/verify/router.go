package verify

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"kvmnet/internal/spec"
)

// This file knows which networks lie behind which routers, and opens the routers'
// namespaces.

// gate is who holds the gateway address of a subnet: a router's interface, or the
// host, which is the zero gate.
type gate struct {
	router string
	via    *spec.Interface
}

// joined returns the networks with the subnets that routers serve on them behind
// their own, and the gate of every subnet.
func joined(o Options) (map[string]*spec.Network, map[string][]gate) {
	nets, gates := map[string]*spec.Network{}, map[string][]gate{}
	for name, n := range o.Running {
		whole := *n
		whole.Subnets = slices.Clone(n.Subnets)
		nets[name], gates[name] = &whole, make([]gate, len(n.Subnets))
	}
	for _, router := range slices.Sorted(maps.Keys(o.Routers)) {
		for i := range o.Routers[router].Interfaces {
			via := &o.Routers[router].Interfaces[i]
			n := nets[via.Network]
			if n == nil { // it does not run
				continue
			}
			for _, sub := range via.Gateways() {
				n.Subnets = append(n.Subnets, sub)
				gates[via.Network] = append(gates[via.Network], gate{router, via})
			}
		}
	}
	return nets, gates
}

// lodging opens a place when the first promise needs it.
type lodging struct {
	once  sync.Once
	place *place
	err   error
}

// at returns the place of a gate. The error tells why nobody can look into it.
func (r *run) at(g gate) (*place, error) {
	if g.via == nil {
		return r.host, nil
	}
	l := r.routers[g.router]
	l.once.Do(func() { l.place, l.err = r.openRouter(g.router) })
	return l.place, l.err
}

// openRouter opens the namespace of a router. All its interfaces but those of its
// networks are doors.
func (r *run) openRouter(name string) (*place, error) {
	if r.o.Namespace == nil {
		return nil, errors.New("its namespace cannot be looked into")
	}
	ns, err := r.o.Namespace(name)
	if err != nil {
		return nil, fmt.Errorf("there is no namespace of router %s: %w", name, err)
	}
	router := r.o.Routers[name]
	ways := slices.Sorted(maps.Keys(router.Ways()))
	p := &place{name: name, ns: ns, given: r.host.given, inner: map[string]bool{"lo": true}, uplinks4: ways, uplinks6: ways, lent: append(floating(r.o), chosenOnly(router)...)}
	for _, via := range router.Interfaces {
		p.inner[via.Name] = true
	}
	if err := p.open(r.host.ctx, r.ledger); err != nil {
		return nil, errors.Join(fmt.Errorf("look into router %s: %w", name, err), ns.Close())
	}
	r.mu.Lock()
	r.places = append(r.places, p)
	r.mu.Unlock()
	return p, nil
}

// floating are the addresses that are single guests' own outside.
func floating(o Options) (list []spec.AddrRange) {
	for _, f := range o.Forwards {
		if f.Floating.IsValid() {
			list = append(list, spec.AddrRange{From: f.Floating, To: f.Floating})
		}
	}
	return list
}

// chosenOnly are the sources that interfaces of a router choose, and that are not
// its own.
func chosenOnly(r *spec.Router) (list []spec.AddrRange) {
	own := func(chosen spec.AddrRange) bool {
		for _, u := range r.Ways() {
			written, _ := u.Address.List()
			if slices.ContainsFunc(written, func(p netip.Prefix) bool { return chosen.Contains(p.Addr()) }) {
				return true
			}
		}
		return false
	}
	for _, i := range r.Interfaces {
		if i.SNAT == nil {
			continue
		}
		for _, chosen := range []spec.AddrRange{i.SNAT.Address, i.SNAT.IPv6} {
			if !chosen.IsZero() && !own(chosen) {
				list = append(list, chosen)
			}
		}
	}
	return list
}
