package serve

import (
	"net/netip"
	"sync/atomic"

	"kvmnet/internal/plan"
)

// own are the addresses of the host and of its routers. Two routers may have the
// same, so each namespace has a set of its own.
type own struct {
	all      atomic.Pointer[map[string]map[netip.Addr]bool] // by namespace
	gateways atomic.Pointer[map[netip.Addr]bool]            // those the host answers guests at
}

func (o *own) set(want []plan.Service, host plan.State) {
	all, gateways := map[string]map[netip.Addr]bool{}, map[netip.Addr]bool{}
	add := func(ns string, a netip.Addr) {
		if all[ns] == nil {
			all[ns] = map[netip.Addr]bool{}
		}
		all[ns][a] = true
	}
	for a := range plan.Of[plan.Addr](host) {
		add(a.NS, a.Prefix.Addr())
	}
	for _, w := range want { // made in this very pass
		for _, p := range w.Subnets {
			add(w.NS, p.Addr())
			if w.NS == "" {
				gateways[p.Addr()] = true
			}
		}
	}
	o.all.Store(&all)
	o.gateways.Store(&gateways)
}

// holds reports whether an address is one of a namespace's own.
func (o *own) holds(ns string, a netip.Addr) bool {
	all := o.all.Load()
	return a.IsLoopback() || all != nil && (*all)[ns][a]
}

// ofHost reports whether an address is one of the host's.
func (o *own) ofHost(a netip.Addr) bool { return o.holds("", a) }

// isGateway reports whether the host answers the guests of one of its networks at
// an address.
func (o *own) isGateway(a netip.Addr) bool {
	gateways := o.gateways.Load()
	return gateways != nil && (*gateways)[a]
}
