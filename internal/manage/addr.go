package manage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// look again this often for a guest that is waited for: the kernel tells of a
// neighbour, but not of every address seen on a bridge.
const glance = 200 * time.Millisecond

// longestWait bounds a wait, so that a client that was forgotten ends some day.
const longestWait = 24 * time.Hour

// Addresses implements api.Service: leases first, then what is seen of the guest.
// A guest that nobody has heard of may still come while there is time to wait.
func (m *Manager) Addresses(ctx context.Context, r api.AddressRequest) ([]api.Address, error) {
	ctx, cancel := context.WithTimeout(ctx, min(max(r.Wait, 0), longestWait))
	defer cancel()
	news := m.events.listen()
	defer m.events.leave(news)
	for {
		list, known, err := m.addresses(context.WithoutCancel(ctx), r.Guest)
		switch {
		case err != nil || len(list) > 0:
			return list, err
		case ctx.Err() != nil && known:
			return []api.Address{}, nil
		case ctx.Err() != nil:
			return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf(
				"no guest %s is known: no port or reservation has that name, no guest gave it as its host name, and no bridge saw it", r.Guest)}
		}
		pause(ctx, news)
	}
}

// pause waits for news of a lease, or a little.
func pause(ctx context.Context, news chan api.Event) {
	after := time.NewTimer(glance)
	defer after.Stop()
	for {
		select {
		case e := <-news:
			if e.Lease != nil {
				return
			}
		case <-after.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// addresses lists what is known of a guest now, and whether anything is.
func (m *Manager) addresses(ctx context.Context, guest string) (list []api.Address, known bool, err error) {
	leases, err := m.Leases(ctx, "")
	if err != nil {
		return nil, false, err
	}
	w, err := m.world()
	if err != nil {
		return nil, false, internal(err)
	}
	macs := w.macsOf(guest)
	for _, l := range leases {
		if isOf(l, guest) {
			macs[l.MAC] = true
		}
	}
	seen, err := m.guests.Seen(ctx)
	if err != nil {
		return nil, false, internal(err)
	}
	for _, l := range leases {
		if macs[l.MAC] && l.State == "bound" {
			list = append(list, api.Address{Address: l.Address.Addr(), Network: l.Network, MAC: l.MAC, Port: l.Port, Source: "lease"})
		}
	}
	for _, a := range seen {
		had := slices.ContainsFunc(list, func(b api.Address) bool { return a.Address == b.Address && a.Network == b.Network })
		if (macs[a.MAC] || a.Port == guest) && !had {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, compareAddresses)
	return list, len(list)+len(macs) > 0, nil
}

// macsOf names the guest's MACs as the definitions know them: a MAC itself, that of
// a port, that of a reservation.
func (w world) macsOf(guest string) map[spec.MAC]bool {
	macs := map[spec.MAC]bool{}
	if mac, err := spec.ParseMAC(guest); err == nil {
		macs[mac] = true
	}
	if p := w.all().Ports[guest]; p != nil {
		macs[p.MAC] = true
	}
	for _, n := range w.all().Networks {
		for _, s := range n.Subnets {
			if s.DHCP == nil {
				continue
			}
			for name, r := range s.DHCP.Hosts {
				if strings.EqualFold(name, guest) && !r.MAC.IsZero() {
					macs[r.MAC] = true
				}
			}
		}
	}
	return macs
}

// compareAddresses puts first what people want to connect to: leases, IPv4, and
// link-local addresses last.
func compareAddresses(a, b api.Address) int {
	rank := func(x api.Address) int {
		switch {
		case x.Address.IsLinkLocalUnicast():
			return 2
		case x.Source != "lease":
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Address.Compare(b.Address), cmp.Compare(a.Network, b.Network))
}
