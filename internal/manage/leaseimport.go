package manage

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/hostname"
	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// ImportLeases implements api.Service. What no guest of the network can have is left
// out, and what another guest has here stays that guest's.
func (m *Manager) ImportLeases(ctx context.Context, network string, leases []api.Lease) ([]api.Lease, error) {
	w, err := m.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer m.changing.Unlock()
	all := w.leasing()
	name := w.networkName(network)
	n := all[name]
	if n == nil {
		return nil, notFound("network", network)
	}
	var list []lease.Lease
	for _, l := range leases {
		if givesOut(n, l) {
			list = append(list, foreign(l))
		}
	}
	taken, err := m.guests.Import(name, list)
	if err != nil {
		return nil, internal(fmt.Errorf("take leases of network %s over: %w", name, err))
	}
	answer := []api.Lease{}
	for _, l := range taken {
		answer = append(answer, m.leaseOf(l, all))
	}
	return answer, nil
}

// givesOut reports whether guests of a network can have the address of a lease.
func givesOut(n *spec.Network, l api.Lease) bool {
	a := l.Address.Addr()
	for _, s := range n.Subnets {
		if s.Address.Contains(a) && s.Address.Addr() != a {
			return true
		}
	}
	return false
}

// foreign is a lease of another server as the book has it: host names are labels
// here, and identifiers bytes.
func foreign(l api.Lease) lease.Lease {
	id, err := hex.DecodeString(strings.ReplaceAll(l.ClientID, ":", ""))
	if err != nil {
		id = nil // a hint only
	}
	out := lease.Lease{Addr: l.Address.Addr(), Begun: l.Begun, Client: lease.Client{V6: l.Address.Addr().Is6(),
		MAC: l.MAC, IAID: l.IAID, ClientID: string(id), Hostname: hostname.Clean(l.Hostname)}}
	if l.Expires != nil {
		out.Expires = *l.Expires
	}
	return out
}
