package serve

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"kvmnet/internal/lease"
)

// names are the names of guests that hold a lease: of the ports they are behind,
// because half of all images call themselves the same, and what they call
// themselves. The name of a port is its guest's, whatever others say.
type names struct {
	table *lease.Table
	ports *atomic.Pointer[map[string]string] // interface → name
}

// Lookup returns the addresses of a name.
func (n names) Lookup(name string) []netip.Addr {
	if n.isPort(name) {
		return n.table.Behind(name)
	}
	return n.table.Lookup(name)
}

// Hostname returns the name of an address: what its guest calls itself, or that of
// its port.
func (n names) Hostname(a netip.Addr) string {
	name := n.table.Hostname(a)
	if n.isPort(name) && !slices.Contains(n.table.Behind(name), a) {
		name = ""
	}
	l, _ := n.table.At(a)
	if name == "" && l.State == lease.Bound && n.isPort(l.Port) {
		name = strings.ToLower(l.Port)
	}
	return name
}

func (n names) isPort(name string) bool {
	for _, port := range *n.ports.Load() {
		if strings.EqualFold(port, name) {
			return true
		}
	}
	return false
}

// Generation changes when an answer may; not with the ports, with which the
// configuration changes.
func (n names) Generation() uint64 { return n.table.Generation() }
