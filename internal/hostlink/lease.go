package hostlink

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// Lease is an IPv4 address that a DHCP server gave for a time, and the routes that come
// with it.
type Lease struct {
	Address netip.Prefix // zero = none
	Left    time.Duration
	Forever bool // it has no end; else Left is what is left of it
	Routes  []spec.InterfaceRoute
}

// SetLease works out how an interface gets what a lease says in the place of what
// earlier ones said. The address ends with the lease and takes the routes along, whose
// source it is, so that nobody has to be there then. Addresses but old are left alone,
// and so are routes that no DHCP client made.
func SetLease(s State, want Lease, old ...netip.Prefix) []Op {
	l := leasing{state: s, want: want}
	for _, a := range old {
		if a.Addr() != want.Address.Addr() {
			l.drop(a)
		}
	}
	l.address()
	for _, a := range old { // routes by it stay while one of both is there
		if a.Addr() == want.Address.Addr() && a != want.Address {
			l.drop(a)
		}
	}
	l.routes()
	return l.ops
}

// LeasedAddresses are the IPv4 addresses of an interface that have an end: a DHCP client
// gave them.
func LeasedAddresses(s State) (list []netip.Prefix) {
	for _, a := range s.of(unix.AF_INET) {
		if _, ends := a.lifetime(); ends {
			list = append(list, a.prefix())
		}
	}
	return list
}

type leasing struct {
	state State
	want  Lease
	ops   []Op
}

// drop takes an address away. Those that were secondary to it may go with it
// (promote_secondaries in net/ipv4/devinet.c), and are given again.
func (l *leasing) drop(old netip.Prefix) {
	four := l.state.of(unix.AF_INET)
	i := slices.IndexFunc(four, func(a Address) bool { return a.prefix() == old })
	if i < 0 {
		return
	}
	l.ops = append(l.ops, deleteAddress(l.state.Name, four[i]))
	for _, a := range four {
		if a.secondary() && a.prefix() != old && a.prefix().Masked() == old.Masked() {
			l.ops = append(l.ops, setAddress("replace", l.state.Name, a))
		}
	}
}

// address gives the address, or another end to the one that is there.
func (l *leasing) address() {
	if !l.want.Address.IsValid() {
		return
	}
	a := newAddress(l.want.Address)
	if !l.want.Forever {
		seconds := uint32(min(max(l.want.Left/time.Second, 1), time.Duration(forever-1)))
		a = a.lasting(seconds, seconds)
	}
	for _, have := range l.state.of(unix.AF_INET) {
		if have.prefix() != l.want.Address {
			continue
		}
		preferred, valid := have.lifetimes()
		if p, v := a.lifetimes(); near(p, preferred) && near(v, valid) {
			return
		}
	}
	l.ops = append(l.ops, setAddress("replace", l.state.Name, a))
}

// routes gives the routes and takes those of an earlier lease away. They stand beside
// what others have put there: nothing is replaced.
func (l *leasing) routes() {
	have, want := routeSetOf(l.state.Routes), routeSet{}
	routes := slices.Clone(l.want.Routes)
	slices.SortStableFunc(routes, func(a, b spec.InterfaceRoute) int { return rankOf(a) - rankOf(b) })
	for _, i := range routes {
		r := leasedRoute(i, l.want.Address.Addr())
		want.add(r)
		if !have.contains(r) {
			l.ops = append(l.ops, setRoute("append", l.state.Name, r))
		}
	}
	for _, r := range l.state.Routes {
		if r.family() == unix.AF_INET && r.protocol() == protocolDHCP && r.table() == unix.RT_TABLE_MAIN && !want.contains(r) {
			l.ops = append(l.ops, deleteRoute(l.state.Name, r))
		}
	}
}

// protocolDHCP is RTPROT_DHCP (linux/rtnetlink.h).
const protocolDHCP = 16

// leasedRoute is a route of a lease, which ends with its address: the kernel takes the
// routes along whose source an address was (fib_sync_down_addr).
func leasedRoute(i spec.InterfaceRoute, source netip.Addr) Route {
	if !i.Source.IsValid() {
		i.Source = source
	}
	r := newRoute(i)
	r.Head[5] = protocolDHCP
	return r
}
