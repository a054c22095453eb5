package daemon

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/dns"
	"kvmnet/internal/hostnet"
	"kvmnet/internal/kernel"
	"kvmnet/internal/manage"
	"kvmnet/internal/reconcile"
	"kvmnet/internal/spec"
)

// insight implements manage.Insight by asking the namespaces that the loop works
// in.
type insight struct {
	system    *reconcile.System
	dir       string         // where the namespaces of routers are bound
	upstreams *dns.Upstreams // the host's resolvers
	host      *hostnet.Host
}

// Namespace implements manage.Insight.
func (i insight) Namespace(router string) string { return filepath.Join(i.dir, router) }

// Neighbours implements manage.Insight.
func (i insight) Neighbours(ctx context.Context, ns string) ([]api.Neighbour, error) {
	_, k, _, there := i.system.Namespace(ns)
	if !there {
		return nil, nil
	}
	seen, err := k.Neighbours(ctx)
	var list []api.Neighbour
	for _, n := range seen {
		list = append(list, api.Neighbour{Link: n.Link, Address: n.Addr, MAC: n.MAC, State: n.State})
	}
	slices.SortFunc(list, func(a, b api.Neighbour) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), a.Address.Compare(b.Address))
	})
	return list, err
}

// Traffic implements manage.Insight.
func (i insight) Traffic(ctx context.Context, ns string) (map[string]api.Traffic, error) {
	_, k, _, there := i.system.Namespace(ns)
	if !there {
		return nil, nil
	}
	links, err := k.Traffic(ctx)
	all := map[string]api.Traffic{}
	for name, t := range links {
		all[name] = api.Traffic{RxPackets: t.RxPackets, RxBytes: t.RxBytes, RxDropped: t.RxDropped,
			TxPackets: t.TxPackets, TxBytes: t.TxBytes, TxDropped: t.TxDropped}
	}
	return all, err
}

// Hits implements manage.Insight.
func (i insight) Hits(ctx context.Context, ns string) (map[string]api.Counter, error) {
	_, _, rules, there := i.system.Namespace(ns)
	if !there {
		return nil, nil
	}
	hits, err := rules.Hits(ctx)
	all := map[string]api.Counter{}
	for key, c := range hits {
		all[key.ID] = api.Counter{Packets: c.Packets, Bytes: c.Bytes}
	}
	return all, err
}

// Rules implements manage.Insight.
func (i insight) Rules(ctx context.Context, ns string) (map[string]api.Counter, error) {
	_, _, rules, there := i.system.Namespace(ns)
	if !there {
		return nil, nil
	}
	counted, err := rules.RuleCounters(ctx)
	all := map[string]api.Counter{}
	for _, c := range counted {
		all[c.Name] = api.Counter{Packets: c.Packets, Bytes: c.Bytes}
	}
	return all, err
}

// Refused implements manage.Insight.
func (i insight) Refused(_ context.Context, ns string) (map[string]uint64, error) {
	_, _, rules, there := i.system.Namespace(ns)
	if !there {
		return nil, nil
	}
	counters, err := rules.Counters()
	all := map[string]uint64{}
	for _, c := range counters {
		if c.Packets > 0 {
			all[c.Name] = c.Packets
		}
	}
	return all, err
}

// Guarded implements manage.Insight.
func (i insight) Guarded(ctx context.Context) (map[int]map[string]uint64, error) {
	_, _, rules, there := i.system.Namespace("")
	if !there {
		return nil, nil
	}
	return rules.Refusals(ctx)
}

// Listeners implements manage.Insight.
func (i insight) Listeners(_ context.Context, ns string, protocol spec.Protocol) (manage.Holder, error) {
	n, _, _, there := i.system.Namespace(ns)
	if !there {
		return manage.Nobody, nil
	}
	list, err := kernel.FindListeners(n, string(protocol))
	return func(on spec.Listen) string { return list.Holder(on.Addr, on.Ports) }, err
}
