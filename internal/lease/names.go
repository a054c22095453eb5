package lease

import (
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// names are the names of bound leases: what guests call themselves, or the ports
// they are behind. Guests with the same name stand in a list, the newest last: that
// one has the name, and when it goes the one before it has.
type names struct {
	of      func(*entry) string // "" = none
	newest  map[string]*bearer
	bearers map[bearerKey]*bearer
	changed func() // a name is somebody else's, or an address has another name
}

type bearerKey struct {
	name string
	mac  spec.MAC
}

// bearer is a guest with a name, and its addresses.
type bearer struct {
	key          bearerKey
	entries      []*entry
	older, newer *bearer
}

func newNames(of func(*entry) string) names {
	return names{of, map[string]*bearer{}, map[bearerKey]*bearer{}, func() {}}
}

// hostname is what the guest calls itself.
func (e *entry) hostname() string { return e.Hostname }

// portLabel is the port's name as names are looked up.
func (e *entry) portLabel() string { return strings.ToLower(e.Port) }

// add gives the name of e to its guest.
func (n *names) add(e *entry) {
	k := bearerKey{n.of(e), e.MAC}
	if k.name == "" {
		return
	}
	b := n.bearers[k]
	if b == nil {
		b = &bearer{key: k}
		n.bearers[k] = b
	} else {
		n.unlink(b)
	}
	b.entries = append(b.entries, e)
	n.push(b)
	n.changed()
}

// remove takes the name of e away.
func (n *names) remove(e *entry) {
	k := bearerKey{n.of(e), e.MAC}
	if k.name == "" {
		return
	}
	b := n.bearers[k]
	b.entries = slices.DeleteFunc(b.entries, func(other *entry) bool { return other == e })
	if len(b.entries) == 0 {
		n.unlink(b)
		delete(n.bearers, k)
	}
	n.changed()
}

// push makes b the newest of its name.
func (n *names) push(b *bearer) {
	b.older, b.newer = n.newest[b.key.name], nil
	if b.older != nil {
		b.older.newer = b
	}
	n.newest[b.key.name] = b
}

func (n *names) unlink(b *bearer) {
	if b.older != nil {
		b.older.newer = b.newer
	}
	switch {
	case b.newer != nil:
		b.newer.older = b.older
	case b.older != nil:
		n.newest[b.key.name] = b.older
	default:
		delete(n.newest, b.key.name)
	}
}

// lookup is the addresses of whoever has the name, sorted.
func (n *names) lookup(name string) []netip.Addr {
	b := n.newest[name]
	if b == nil {
		return nil
	}
	addrs := make([]netip.Addr, 0, len(b.entries))
	for _, e := range b.entries {
		addrs = append(addrs, e.Addr)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}
