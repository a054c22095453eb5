package daemon

import (
	"context"
	"encoding/hex"
	"net/netip"

	"kvmnet/internal/api"
	"kvmnet/internal/lease"
	"kvmnet/internal/serve"
)

// guests is what the verbs know of guests: the lease book and the servers.
type guests struct {
	book    *lease.Book
	servers *serve.Servers
}

// Networks implements manage.Guests.
func (g guests) Networks() []string { return g.book.Networks() }

// Leases implements manage.Guests.
func (g guests) Leases(network string) []lease.Lease { return g.book.Table(network).Leases() }

// Err implements manage.Guests.
func (g guests) Err() error { return g.book.Err() }

// Counters implements manage.Guests.
func (g guests) Counters(network string) map[string]uint64 { return g.servers.Counters(network) }

// End implements manage.Guests.
func (g guests) End(network string, a netip.Addr) error {
	done := make(chan error, 1)
	if !g.book.Table(network).End(a, func(err error) { done <- err }) {
		return nil // it ended by itself meanwhile
	}
	return <-done
}

// Import implements manage.Guests.
func (g guests) Import(network string, leases []lease.Lease) ([]lease.Lease, error) {
	done := make(chan error, 1)
	taken, err := g.book.Table(network).Import(leases, func(err error) { done <- err })
	if err == nil {
		err = <-done
	}
	return taken, err
}

// Forget implements manage.Guests. What cannot be written now is told by the book.
func (g guests) Forget(network string) { g.book.Drop(network, nil) }

// Seen implements manage.Guests.
func (g guests) Seen(ctx context.Context) ([]api.Address, error) {
	seen, err := g.servers.Seen(ctx)
	var list []api.Address
	for _, s := range seen {
		list = append(list, api.Address{Address: s.Addr, Network: s.Network, MAC: s.MAC, Port: s.Port, Source: s.Source})
	}
	return list, err
}

// duid is the identifier of our DHCPv6 server, of the kind made from a UUID
// (RFC 6355): the host's, so that it is the same for ever.
func duid(hostID string) []byte {
	id, err := hex.DecodeString(hostID)
	if err != nil || len(id) != 16 { // somebody wrote it by hand
		id = append([]byte(hostID), make([]byte, 16)...)[:16]
	}
	return append([]byte{0, 4}, id...)
}
