package manage

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// Guests tells of the guests of the networks: what they hold, and where they are
// seen.
type Guests interface {
	Networks() []string // that have leases
	Leases(network string) []lease.Lease
	// Counters tell what was asked on a network, answered and refused.
	Counters(network string) map[string]uint64
	// End ends the lease of an address, and returns when that is on disk.
	End(network string, a netip.Addr) error
	// Import takes over leases that guests hold of another server, and returns those that
	// were taken when that is on disk. What somebody has here stays as it is.
	Import(network string, leases []lease.Lease) ([]lease.Lease, error)
	Err() error // why leases cannot be written at the moment; nil = they can
	// Forget drops all leases of a network that is no more.
	Forget(network string)
	// Seen lists who is seen on the running networks, but for what is known from leases.
	Seen(ctx context.Context) ([]api.Address, error)
}

// LeaseChanged tells the listeners what happened to a lease.
func (m *Manager) LeaseChanged(e lease.Event) {
	if e.Kind == "warning" {
		m.Warn("network/"+e.Lease.Network, e.Message)
		return
	}
	if !m.events.heard() { // thousands a second, at times
		return
	}
	l := m.leaseOf(e.Lease, nil)
	guest := strings.TrimSpace(l.Hostname + " " + l.MAC.String())
	m.events.send(api.Event{Time: time.Now(), Type: "lease", Object: "network/" + l.Network, Lease: &l,
		Message: strings.TrimSpace(fmt.Sprintf("%s %s by %s %s", l.Address.Addr(), e.Kind, guest, e.Message))})
}

// Warn tells the listeners, and the log, what people should know of an object.
func (m *Manager) Warn(owner, message string) {
	m.log.Warn(message, "object", owner)
	m.events.say("warning", owner, message)
}

// leaseOf turns a lease into what clients see. The prefix length is that of the
// subnet, where the network has one for it.
func (m *Manager) leaseOf(l lease.Lease, networks map[string]*spec.Network) api.Lease {
	out := api.Lease{Network: l.Network, Address: netip.PrefixFrom(l.Addr, l.Addr.BitLen()), Protocol: "ipv4", MAC: l.MAC, IAID: l.IAID,
		ClientID: colons(l.ClientID), Hostname: l.Hostname, Port: l.Port, Begun: l.Begun, State: l.State.String()}
	if l.Addr.Is6() {
		out.Protocol = "ipv6"
	}
	if !l.Expires.IsZero() {
		out.Expires = &l.Expires
	}
	if n := networks[l.Network]; n != nil {
		for _, s := range n.Subnets {
			if s.Address.Contains(l.Addr) {
				out.Address = netip.PrefixFrom(l.Addr, s.Address.Bits())
			}
		}
	}
	return out
}

// colons prints raw bytes as 01:52:54.
func colons(raw string) string {
	var parts []string
	for _, b := range []byte(raw) {
		parts = append(parts, hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// Leases implements api.Service: by network, then by address.
func (m *Manager) Leases(_ context.Context, network string) ([]api.Lease, error) {
	w, err := m.world()
	if err != nil {
		return nil, internal(err)
	}
	all := w.leasing()
	if network == "" {
		return m.leases(all, slices.Collect(maps.Keys(all))), nil
	}
	network = w.networkName(network)
	if all[network] == nil {
		return nil, notFound("network", network)
	}
	return m.leases(all, []string{network}), nil
}

// leasing are all networks, as they run where they do, with the subnets that routers
// have there: their leases are of these.
func (w world) leasing() map[string]*spec.Network {
	all := w.all()
	networks := all.Networks
	maps.Copy(networks, w.running.Networks)
	for name, holders := range all.Holders() {
		for _, h := range holders {
			if n := networks[name]; n != nil && h.Router != "" {
				whole := *n
				whole.Subnets = slices.Concat(n.Subnets, h.Subnets)
				networks[name] = &whole
			}
		}
	}
	return networks
}

// leases lists those of some networks.
func (m *Manager) leases(all map[string]*spec.Network, names []string) []api.Lease {
	list := []api.Lease{}
	for _, name := range names {
		for _, l := range m.guests.Leases(name) {
			list = append(list, m.leaseOf(l, all))
		}
	}
	slices.SortFunc(list, func(a, b api.Lease) int {
		return cmp.Or(cmp.Compare(a.Network, b.Network), a.Address.Addr().Compare(b.Address.Addr()))
	})
	return list
}

// errNoGuest keeps a request that names nobody from meaning everybody who has no
// name.
var errNoGuest = invalid("the guest is missing: name it by its port, MAC, address or host name")

// ReleaseLease implements api.Service.
func (m *Manager) ReleaseLease(ctx context.Context, r api.LeaseRelease) ([]api.Lease, error) {
	if r.Guest == "" {
		return nil, errNoGuest
	}
	all, err := m.Leases(ctx, r.Network)
	if err != nil {
		return nil, err
	}
	var ended []api.Lease
	for _, l := range all {
		if !isOf(l, r.Guest) {
			continue
		}
		if err := m.guests.End(l.Network, l.Address.Addr()); err != nil {
			return ended, internal(fmt.Errorf("release %s on network %s: %w", l.Address.Addr(), l.Network, err))
		}
		ended = append(ended, l)
	}
	if len(ended) == 0 {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no lease of %s; 'kvmnet leases' lists them by address, MAC and host name", r.Guest)}
	}
	return ended, nil
}

// isOf reports whether a lease is the one of an address, or of the guest that is
// named by its MAC, its port or its host name.
func isOf(l api.Lease, guest string) bool {
	if a, err := netip.ParseAddr(guest); err == nil {
		return a == l.Address.Addr()
	}
	if mac, err := spec.ParseMAC(guest); err == nil {
		return mac == l.MAC
	}
	return strings.EqualFold(guest, l.Hostname) || guest == l.Port
}
