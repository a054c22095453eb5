package lease

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Find is the client's lease, in whatever state. A declined address is nobody's
// lease.
func (t *Table) Find(c Client) (Lease, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.alloc.guests[c.key()]; g != nil && g.lease != nil {
		return g.lease.Lease, true
	}
	return Lease{}, false
}

// At is the lease of an address, in whatever state.
func (t *Table) At(addr netip.Addr) (Lease, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.alloc.entries[addr]; e != nil {
		return e.Lease, true
	}
	return Lease{}, false
}

// Next is the first n addresses that newcomers would get now.
func (t *Table) Next(w Want, n int) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.alloc.purge(t.book.options.Now())
	var addrs []netip.Addr
	for addr := range t.alloc.newcomers(w) {
		if len(addrs) >= n {
			break
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// Leases are the bound and the declined ones, sorted by address.
func (t *Table) Leases() []Lease {
	leases := t.collect(func(e *entry) bool { return !e.State.Ended() })
	slices.SortFunc(leases, func(a, b Lease) int { return a.Addr.Compare(b.Addr) })
	return leases
}

// Hostname is what the guest that has the address calls itself, "" = no such
// guest or no name.
func (t *Table) Hostname(addr netip.Addr) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.alloc.entries[addr]; e != nil && e.State == Bound {
		return e.Hostname
	}
	return ""
}

// Lookup is the addresses of the guest that calls itself so, sorted. Of several
// with the name it is the one that was bound last; when its lease ends, the one
// before it.
func (t *Table) Lookup(hostname string) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alloc.names.lookup(hostname)
}

// Behind is the addresses of the guest behind a port, sorted; the case of the
// port's name does not matter. Of several guests it is the one that was bound last.
func (t *Table) Behind(port string) []netip.Addr {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.alloc.behind.lookup(strings.ToLower(port))
}

// Generation changes whenever Hostname, Lookup or Behind may answer anew.
func (t *Table) Generation() uint64 { return t.changes.Load() }

func (t *Table) collect(want func(*entry) bool) []Lease {
	t.mu.Lock()
	defer t.mu.Unlock()
	leases := make([]Lease, 0, len(t.alloc.entries))
	for _, e := range t.alloc.entries {
		if want(e) {
			leases = append(leases, e.Lease)
		}
	}
	return leases
}

// size is the number of leases, ended ones included.
func (t *Table) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.alloc.entries)
}

// remembered are all leases in the order in which they were bound or ended.
func (t *Table) remembered() []Lease {
	t.mu.Lock()
	entries := make([]remembrance, 0, len(t.alloc.entries))
	for _, e := range t.alloc.entries {
		entries = append(entries, remembrance{e.seq, e.Lease})
	}
	t.mu.Unlock()
	slices.SortFunc(entries, func(a, b remembrance) int { return cmp.Compare(a.seq, b.seq) })
	leases := make([]Lease, len(entries))
	for i, r := range entries {
		leases[i] = r.lease
	}
	return leases
}

type remembrance struct {
	seq   uint64
	lease Lease
}
