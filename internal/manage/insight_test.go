package manage

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"kvmnet/internal/api"
	"kvmnet/internal/doctor"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// kernel is an Insight that only remembers, and knows where guests are.
type kernel struct {
	mu      sync.Mutex
	holders map[string]string      // "r1 tcp 22" → who listens
	guests  map[string]string      // name → address, on every network
	counted map[string]api.Counter // of elements and rules, in every namespace
	got     map[string]string      // "r1/uplink" → address by DHCP
	traffic map[string]api.Traffic // of links of the host
}

// set changes what the kernel knows.
func (k *kernel) set(do func(k *kernel)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holders, k.guests, k.counted, k.got = made(k.holders), made(k.guests), made(k.counted), made(k.got)
	do(k)
}

func made[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// Addresses implements reconcile.Guests.
func (k *kernel) Addresses(live *spec.Spec) map[string]map[string][]netip.Addr {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]map[string][]netip.Addr{}
	for network := range live.Networks {
		all[network] = map[string][]netip.Addr{}
		for name, address := range k.guests {
			all[network][name] = []netip.Addr{netip.MustParseAddr(address)}
		}
	}
	return all
}

// Leases implements reconcile.Guests.
func (k *kernel) Leases(*spec.Spec) map[string][]plan.Leased { return nil }

// Guarded implements Insight.
func (k *kernel) Guarded(context.Context) (map[int]map[string]uint64, error) { return nil, nil }

// Set implements reconcile.Uplinks.
func (k *kernel) Set([]plan.Acquire) {}

// Farewell implements reconcile.Uplinks.
func (k *kernel) Farewell([]plan.Acquire) {}

// Problems implements reconcile.Uplinks.
func (k *kernel) Problems() map[string]string { return nil }

// Acquired implements reconcile.Uplinks.
func (k *kernel) Acquired() map[string]plan.Acquired {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]plan.Acquired{}
	for uplink, address := range k.got {
		p := netip.MustParsePrefix(address)
		all[uplink] = plan.Acquired{Address: p, Gateway: p.Masked().Addr().Next()}
	}
	return all
}

func (k *kernel) Namespace(router string) string { return "/netns/" + router }

func (k *kernel) Neighbours(_ context.Context, ns string) ([]api.Neighbour, error) {
	return []api.Neighbour{{Link: "eth0", Address: netip.MustParseAddr("10.8.0.10"), MAC: spec.GenerateMAC(ns), State: "reachable"}}, nil
}

func (k *kernel) Traffic(_ context.Context, ns string) (map[string]api.Traffic, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if ns == "" {
		return maps.Clone(k.traffic), nil
	}
	return map[string]api.Traffic{"eth0": {RxPackets: 3}}, nil
}

func (k *kernel) counters() (map[string]api.Counter, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := map[string]api.Counter{}
	for name, c := range k.counted {
		all[name] = c
	}
	return all, nil
}

func (k *kernel) Refused(_ context.Context, ns string) (map[string]uint64, error) {
	return map[string]uint64{"spoofed": uint64(len(ns))}, nil
}

func (k *kernel) Hits(context.Context, string) (map[string]api.Counter, error)  { return k.counters() }
func (k *kernel) Rules(context.Context, string) (map[string]api.Counter, error) { return k.counters() }

func (k *kernel) Surroundings(context.Context, *doctor.Patient) error { return nil }

func (k *kernel) Listeners(_ context.Context, ns string, protocol spec.Protocol) (Holder, error) {
	return func(on spec.Listen) string {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.holders[fmt.Sprintf("%s %s %s", ns, protocol, on)]
	}, nil
}
