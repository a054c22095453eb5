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

// longestWait bounds a wait, so that a client that was forgotten ends some day.
const longestWait = 24 * time.Hour

// Addresses implements api.Service: leases first, then what is seen of the guest.
// A guest that nobody has heard of may still come while there is time to wait.
func (m *Manager) Addresses(request context.Context, r api.AddressRequest) ([]api.Address, error) {
	if r.Guest == "" {
		return nil, errNoGuest
	}
	ctx, cancel := context.WithTimeout(request, min(max(r.Wait, 0), longestWait))
	defer cancel()
	news := m.events.listen()
	defer m.events.leave(news)
	m.sights.come()
	defer m.sights.leave()
	for after := time.Now(); ; {
		seen, err := m.sight(context.WithoutCancel(ctx), after)
		if err != nil {
			return nil, err
		}
		list, macs := seen.addresses(r.Guest)
		switch {
		case len(list) > 0:
			return list, nil
		case request.Err() != nil:
			return nil, internal(fmt.Errorf("wait for an address of %s: the daemon ends", r.Guest)) // or the client went, and reads nothing
		case ctx.Err() != nil && len(macs) > 0:
			return []api.Address{}, nil
		case ctx.Err() != nil:
			return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf(
				"no guest %s is known: no port or reservation has that name, no guest gave it as its host name, and no bridge saw it", r.Guest)}
		}
		after = pause(ctx, news, func(l api.Lease) bool { return macs[l.MAC] || isOf(l, r.Guest) })
	}
}

// pause waits for news of a lease of the guest, or a little. It returns after what
// time the next look must be.
func pause(ctx context.Context, news chan api.Event, of func(api.Lease) bool) time.Time {
	timer := time.NewTimer(glance)
	defer timer.Stop()
	for {
		select {
		case e := <-news:
			if e.Lease != nil && of(*e.Lease) {
				return time.Now()
			}
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		return time.Now().Add(-glance)
	}
}

// addresses lists what is known of a guest, and its MACs.
func (s *sight) addresses(guest string) (list []api.Address, macs map[spec.MAC]bool) {
	macs = s.macsOf(guest)
	for _, l := range s.leases {
		if isOf(l, guest) {
			macs[l.MAC] = true
		}
	}
	for _, l := range s.leases {
		if macs[l.MAC] && l.State == "bound" {
			list = append(list, api.Address{Address: l.Address.Addr(), Network: l.Network, MAC: l.MAC, Port: l.Port, Source: "lease"})
		}
	}
	for _, a := range s.seen {
		had := slices.ContainsFunc(list, func(b api.Address) bool { return a.Address == b.Address && a.Network == b.Network })
		if (macs[a.MAC] || a.Port == guest) && !had {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, compareAddresses)
	return list, macs
}

// macsOf names the guest's MACs as the definitions know them: a MAC itself, that of
// a port, that of a reservation.
func (s *sight) macsOf(guest string) map[spec.MAC]bool {
	macs := map[spec.MAC]bool{}
	if mac, err := spec.ParseMAC(guest); err == nil {
		macs[mac] = true
	}
	if p := s.ports[guest]; p != nil {
		macs[p.MAC] = true
	}
	for _, n := range s.networks {
		for _, subnet := range n.Subnets {
			if subnet.DHCP == nil {
				continue
			}
			for name, r := range subnet.DHCP.Hosts {
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
