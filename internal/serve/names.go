package serve

import (
	"net/netip"

	"kvmnet/internal/lease"
)

// names are the names of guests that hold a lease: what they call themselves, and
// the ports they are behind, because half of all images call themselves the same.
type names struct{ table *lease.Table }

// Lookup returns the addresses of a name.
func (n names) Lookup(name string) []netip.Addr {
	if list := n.table.Behind(name); len(list) > 0 {
		return list
	}
	return n.table.Lookup(name)
}

// Hostname returns the name of an address.
func (n names) Hostname(a netip.Addr) string { return n.table.Hostname(a) }

// Generation changes when an answer may.
func (n names) Generation() uint64 { return n.table.Generation() }
