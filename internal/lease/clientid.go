package lease

import (
	"fmt"
	"slices"

	"kvmnet/internal/spec"
)

const (
	maxSameID = 8       // leases found by one client id: the newest ones, it is a hint only
	maxWarned = 1 << 12 // pairs of guests remembered as warned of; then the memory starts anew
)

type idKey struct {
	v6 bool
	id string
}

// ids finds the leases, bound and ended, of a client id: the newest last.
type ids map[idKey][]*entry

func (m ids) add(e *entry) {
	if e.ClientID == "" {
		return
	}
	k := idKey{e.V6, e.ClientID}
	list := m[k]
	if len(list) == maxSameID {
		list = slices.Delete(list, 0, 1)
	}
	m[k] = append(list, e)
}

func (m ids) remove(e *entry) {
	if e.ClientID == "" {
		return
	}
	k := idKey{e.V6, e.ClientID}
	list := slices.DeleteFunc(m[k], func(other *entry) bool { return other == e })
	if len(list) == 0 {
		delete(m, k)
		return
	}
	m[k] = list
}

// other is the newest lease with the client id of c and another MAC, bound or
// ended.
func (m ids) other(c Client, bound bool) *entry {
	if c.ClientID == "" {
		return nil
	}
	for _, e := range slices.Backward(m[idKey{c.V6, c.ClientID}]) {
		if e.MAC != c.MAC && (e.State == Bound) == bound {
			return e
		}
	}
	return nil
}

// warn tells once of two guests that have addresses under one client id. A
// machine that was cloned with its /etc/machine-id does so.
func (a *allocator) warn(l Lease) {
	other := a.ids.other(l.Client, true)
	if other == nil {
		return
	}
	pair := [2]spec.MAC{l.MAC, other.MAC}
	slices.SortFunc(pair[:], func(a, b spec.MAC) int { return slices.Compare(a[:], b[:]) })
	if _, said := a.warned[pair]; said {
		return
	}
	if len(a.warned) >= maxWarned {
		clear(a.warned)
	}
	a.warned[pair] = struct{}{}
	a.event("warning", l, fmt.Sprintf("%s (%s) sends the client id of %s (%s): cloned machine id?",
		l.title(), l.MAC, other.title(), other.MAC))
}

// title is what people call the guest: by its port, since clones say the same
// host name.
func (l Lease) title() string {
	for _, name := range []string{l.Port, l.Hostname} {
		if name != "" {
			return name
		}
	}
	return l.Addr.String()
}
