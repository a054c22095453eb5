package manage

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// tally fills in what is asked for when ports are shown, and not by every pass: what
// passed them, and what their guests have by DHCP.
func (m *Manager) tally(ctx context.Context, have plan.State, ports []api.Port) error {
	traffic, err := m.insight.Traffic(ctx, "")
	if err != nil {
		return internal(fmt.Errorf("count what passed the ports: %w", err))
	}
	over, leases := detours(have), m.granted(ports)
	for i := range ports {
		p := &ports[i]
		p.Status.Leases = leases.of(p)
		if t, counted := traffic[p.Spec.Interface]; counted && p.Status.State != "missing" {
			out, in := over[p.Spec.Interface], over[p.Spec.Interface+" sent"]
			p.Status.Received, p.Status.Sent = tallies(p.Spec.Type, t, traffic[in].TxDropped, traffic[out].TxDropped)
		}
	}
	return nil
}

// detours names the ifbs of limited links by the ID of what is led over them.
func detours(have plan.State) map[string]string {
	over := map[string]string{}
	for r := range plan.Of[plan.Redirect](have) {
		if r.NS == "" {
			over[r.Key().ID] = r.To
		}
	}
	return over
}

// tallies turns the counters of the host's end around: what it sends the guest
// receives. A macvtap is the guest's own end. What limits drop has been counted as
// sent by a guest, and not yet as received by one.
func tallies(kind spec.PortType, t api.Traffic, in, out uint64) (received, sent *api.Tally) {
	from := &api.Tally{Packets: t.RxPackets, Bytes: t.RxBytes, Dropped: t.RxDropped + out}
	to := &api.Tally{Packets: t.TxPackets, Bytes: t.TxBytes, Dropped: t.TxDropped + in}
	if kind == spec.Macvtap {
		return from, to
	}
	return to, from
}

// granted are the addresses that guests have, by whom they can be told.
type granted struct {
	behind map[string][]netip.Addr // by the port's network and name, or the adopted interface
	mac    map[string][]netip.Addr // by the network and MAC
}

func (m *Manager) granted(ports []api.Port) granted {
	l := granted{map[string][]netip.Addr{}, map[string][]netip.Addr{}}
	seen := map[string]bool{}
	for _, p := range ports {
		network := p.Spec.Network
		if seen[network] {
			continue
		}
		seen[network] = true
		for _, given := range m.guests.Leases(network) {
			if given.State != lease.Bound {
				continue
			}
			behind, mac := network+" "+given.Port, network+" "+given.MAC.String()
			l.behind[behind] = append(l.behind[behind], given.Addr)
			l.mac[mac] = append(l.mac[mac], given.Addr)
		}
	}
	return l
}

func (l granted) of(p *api.Port) []netip.Addr {
	list := slices.Clone(l.behind[p.Spec.Network+" "+p.Name])
	if !p.Spec.MAC.IsZero() {
		list = append(list, l.mac[p.Spec.Network+" "+p.Spec.MAC.String()]...)
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}
