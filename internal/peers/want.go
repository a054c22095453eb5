package peers

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
)

// unlike is the error of something that is not as wanted.
type unlike struct {
	what      string
	got, want any
}

func (e *unlike) Error() string { return fmt.Sprintf("%s: got %v, want %v", e.what, e.got, e.want) }

// faults lists where a lease differs from what is wanted, apart from what the
// client does not tell.
func (w Want) faults(l Lease, silent []Field) (found []string) {
	check := func(what Field, got, want any) {
		if !reflect.ValueOf(want).IsZero() && !slices.Contains(silent, what) && !reflect.DeepEqual(got, want) {
			found = append(found, (&unlike{string(what), got, want}).Error())
		}
	}
	check("address", l.Address.Addr(), w.Address)
	check("prefix length", l.Address.Bits(), w.Bits)
	if w.Prefix.IsValid() && !w.Prefix.Contains(l.Address.Addr()) {
		found = append(found, (&unlike{"address", l.Address, w.Prefix}).Error())
	}
	check(Router, l.Router, w.Router)
	check(DNS, l.DNS, w.DNS)
	check(Domain, l.Domain, w.Domain)
	check(MTU, l.MTU, w.MTU)
	check(Time, l.Time, w.Time)
	if w.Domain != "" && !l.Address.Addr().Is4() {
		check(Search, l.Search, []string{w.Domain})
	}
	return found
}

// In narrows what is wanted to a client's family: an address of the other one is
// not its business.
func (w Want) In(family int) Want {
	keep := func(a netip.Addr) bool { return a.IsValid() && a.Is4() == (family == 4) }
	if !keep(w.Address) {
		w.Address = netip.Addr{}
	}
	if !keep(w.Prefix.Addr()) {
		w.Prefix = netip.Prefix{}
	}
	if !keep(w.Router) {
		w.Router = netip.Addr{}
	}
	w.DNS = slices.DeleteFunc(slices.Clone(w.DNS), func(a netip.Addr) bool { return !keep(a) })
	return w
}
