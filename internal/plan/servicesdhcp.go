package plan

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// The defaults of DHCP, as package spec tells people.
const (
	defaultPerPort = 32
	defaultRate    = 500 // requests a second

	defaultLease spec.Seconds = 3600
)

// dhcp works out the DHCP of one family, nil when no subnet has it.
func (v *serving) dhcp(name string, n *spec.Network, v6 bool) *DHCP {
	var scopes []Scope
	for _, s := range n.Subnets {
		if s.Address.Addr().Is6() == v6 && v.usable(s) && dhcpOn(s) {
			scopes = append(scopes, v.scope(name, n, s, s.Address.Addr()))
		}
	}
	for _, r := range n.Routes {
		if server := v.near(n, r); r.To.Addr().Is6() == v6 && server.IsValid() && dhcpOn(r.Subnet()) {
			scopes = append(scopes, v.farScope(name, n, r, server))
		}
	}
	if scopes == nil {
		return nil
	}
	slices.SortFunc(scopes, func(a, b Scope) int { return a.Prefix.Compare(b.Prefix) })
	common := dhcpOf(n)
	return &DHCP{
		Scopes:       scopes,
		PerPort:      perPort(common.PerPort, scopes),
		Rate:         limit(common.Rate, defaultRate),
		DropWithPort: common.DropWithPort,
	}
}

// near is the gateway address that a route's next hop reaches us at.
func (v *serving) near(n *spec.Network, r spec.StaticRoute) netip.Addr {
	for _, s := range n.Subnets {
		if s.Address.Contains(r.Via) && v.usable(s) {
			return s.Address.Addr()
		}
	}
	return netip.Addr{}
}

// farScope works out a prefix behind a route. The next hop, which is the relay
// agent, is trusted to ask for many.
func (v *serving) farScope(name string, n *spec.Network, r spec.StaticRoute, server netip.Addr) Scope {
	sc := v.scope(name, n, r.Subnet(), server)
	if !slices.Contains(sc.Relays, r.Via) {
		sc.Relays = slices.SortedFunc(slices.Values(append(sc.Relays, r.Via)), netip.Addr.Compare)
	}
	return sc
}

func dhcpOf(n *spec.Network) spec.NetworkDHCP {
	if n.DHCP == nil {
		return spec.NetworkDHCP{}
	}
	return *n.DHCP
}

// perPort is how many addresses the guests behind one port may hold: of small
// subnets no more than half, unless people say so.
func perPort(written int, scopes []Scope) int {
	if written != 0 {
		return limit(written, 0)
	}
	all := 0
	for _, s := range scopes {
		for _, r := range s.Ranges {
			n := size(r)
			if all += n; n >= 2*defaultPerPort {
				return defaultPerPort
			}
		}
	}
	if all < 2*defaultPerPort && all > 0 {
		return max(1, all/2)
	}
	return defaultPerPort
}

// size is the number of addresses of a range, as far as it matters to perPort.
func size(r Range) (n int) {
	for a := r.From; n < 2*defaultPerPort && a.Compare(r.To) <= 0; a = a.Next() {
		n++
	}
	return n
}

// limit reads a number of which 0 means the default and -1 any.
func limit(n, ifZero int) int {
	switch n {
	case 0:
		return ifZero
	case -1:
		return 0
	}
	return n
}

// scope works out one subnet.
func (v *serving) scope(name string, n *spec.Network, s spec.Subnet, server netip.Addr) Scope {
	lease := cmp.Or(s.DHCP.LeaseTime, dhcpOf(n).LeaseTime, defaultLease)
	sc := Scope{
		Prefix: s.Address.Masked(), Server: server, Far: !s.Address.Contains(server), Lease: lease, Ranges: ranges(s, lease),
		Excluded: []netip.Addr{s.Address.Addr()},
		Relays:   slices.SortedFunc(slices.Values(s.DHCP.Relays), netip.Addr.Compare),
		Boot:     boot(bootOf(n, s), server), Domain: domainOf(n),
	}
	own := v.options(n, s, server)
	sc.Options = wire(complete(own))
	for b := []byte(own[optRouter]); len(b) >= 4 && !s.Address.Addr().Is6(); b = b[4:] {
		if a := netip.AddrFrom4([4]byte(b)); a != s.Address.Addr() && sc.Prefix.Contains(a) {
			sc.Excluded = append(sc.Excluded, a) // a router that is not us
		}
	}
	v.reserveHosts(name, n, s, own, &sc)
	v.reservePorts(name, &sc)
	slices.SortFunc(sc.Reservations, func(a, b Reservation) int {
		return cmp.Or(a.Addr.Compare(b.Addr), cmp.Compare(a.Name, b.Name))
	})
	slices.SortFunc(sc.Excluded, netip.Addr.Compare)
	return sc
}

// ranges are the dynamic addresses of a subnet in order.
func ranges(s spec.Subnet, lease spec.Seconds) []Range {
	var list []Range
	for _, r := range s.DHCP.Ranges {
		list = append(list, Range{r.From, r.To, cmp.Or(r.LeaseTime, lease)})
	}
	if list == nil && !s.DHCP.Static {
		list = defaultRanges(s.Address, lease)
	}
	slices.SortFunc(list, func(a, b Range) int { return a.From.Compare(b.From) })
	return list
}

// defaultRanges are all addresses a guest can have, without the gateway's; of a
// large IPv6 subnet 61,440 of them, from ::1000 to ::ffff.
func defaultRanges(gateway netip.Prefix, lease spec.Seconds) []Range {
	all := spec.GuestAddresses(gateway)
	if gateway.Addr().Is6() && gateway.Bits() <= 112 {
		base := gateway.Masked().Addr().As16()
		base[14] = 0x10
		all.From = netip.AddrFrom16(base)
		base[14], base[15] = 0xff, 0xff
		all.To = netip.AddrFrom16(base)
	}
	if !all.Contains(gateway.Addr()) {
		return []Range{{all.From, all.To, lease}}
	}
	var list []Range
	if gateway.Addr() != all.From {
		list = append(list, Range{all.From, gateway.Addr().Prev(), lease})
	}
	if gateway.Addr() != all.To {
		list = append(list, Range{gateway.Addr().Next(), all.To, lease})
	}
	return list
}

// reserveHosts keeps the addresses that the subnet's hosts name. One that is for
// nobody in particular is for the port of its name, if the network has it.
func (v *serving) reserveHosts(name string, n *spec.Network, s spec.Subnet, own options, sc *Scope) {
	byMAC := map[spec.MAC]bool{}
	for _, h := range s.DHCP.Hosts {
		byMAC[h.MAC] = true
	}
	for _, host := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
		h := s.DHCP.Hosts[host]
		r := Reservation{
			Name: n.DNS.Key(spec.ReservedName(host)), MAC: h.MAC, ClientID: h.Identifier(), ByName: h.ByName(), Addr: h.IP,
			Lease: cmp.Or(h.LeaseTime, sc.Lease), Options: changes(own, encode(sc.Server.Is6(), h.Options)),
		}
		if p := v.live.Ports[host]; r.ByName && p != nil && p.Network == name && !p.MAC.IsZero() && !byMAC[p.MAC] {
			r.MAC, r.ByName = p.MAC, false
		}
		sc.Reservations = append(sc.Reservations, r)
	}
}

// reservePorts keeps the fixed addresses of ports: the first of each in this
// subnet for its guest to ask for, the others from being given to anybody.
func (v *serving) reservePorts(network string, sc *Scope) {
	taken, served := map[netip.Addr]bool{}, map[spec.MAC]bool{}
	for _, r := range sc.Reservations {
		taken[r.Addr], served[r.MAC] = true, true
	}
	for _, name := range v.lay.portsOf(network) {
		p := v.live.Ports[name]
		for _, a := range p.Addresses {
			switch {
			case !sc.Prefix.Contains(a) || taken[a]:
			case p.MAC.IsZero() || served[p.MAC]:
				sc.Excluded = append(sc.Excluded, a)
			default:
				sc.Reservations = append(sc.Reservations, Reservation{Name: hostLabel(name), MAC: p.MAC, Addr: a, Lease: sc.Lease})
				taken[a], served[p.MAC] = true, true
			}
		}
	}
}

// hostLabel is the host name of a port's guest: the port's name, if it can be one.
func hostLabel(port string) string {
	if spec.CheckHostName(port) != nil {
		return ""
	}
	return strings.ToLower(port)
}

func bootOf(n *spec.Network, s spec.Subnet) *spec.Boot {
	if s.DHCP != nil && s.DHCP.Boot != nil {
		return s.DHCP.Boot
	}
	return dhcpOf(n).Boot
}

// boot works out what to tell clients.
func boot(b *spec.Boot, gateway netip.Addr) *Boot {
	if b == nil || b.File == "" && len(b.Files) == 0 {
		return nil
	}
	w := &Boot{Server: gateway, File: b.File, Files: maps.Clone(b.Files)}
	if b.Server != "" {
		a, err := netip.ParseAddr(b.Server)
		if w.Server = a; err != nil {
			w.Name = b.Server
		}
	}
	return w
}
