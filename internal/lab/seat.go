package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// settle adds a network to the layout, with seats for two guests.
func (l *layout) settle(name string, s *spec.Network, index int) error {
	n := &network{name: name, spec: s, index: index}
	l.behind(n)
	l.networks = append(l.networks, n)
	return n.seat(l.targets(n), l.taken(n))
}

// targets are the guests of a network that forwards lead to, two at most: those
// with a name first.
func (l *layout) targets(n *network) (list []spec.Target) {
	var bare []spec.Target
	for _, name := range slices.Sorted(maps.Keys(l.spec.Forwards)) {
		f := l.spec.Forwards[name]
		to := spec.Target{Name: f.To.Name, Addr: f.To.Addr}
		switch {
		case f.Network != n.name || slices.Contains(list, to) || slices.Contains(bare, to):
		case to.Addr.IsValid():
			bare = append(bare, to)
		case !l.called(to.Name):
			list = append(list, to)
		}
	}
	list = append(list, slices.DeleteFunc(bare, func(t spec.Target) bool { return n.keeps(t.Addr) })...)
	return list[:min(len(list), len(n.seats))]
}

// keeps reports whether an address is kept for somebody with a name.
func (n *network) keeps(a netip.Addr) bool {
	for _, s := range n.subnets() {
		if s.DHCP == nil {
			continue
		}
		for _, r := range s.DHCP.Hosts {
			if r.IP == a {
				return true
			}
		}
	}
	return false
}

// called reports whether a guest has that name.
func (l *layout) called(name string) bool {
	return slices.ContainsFunc(l.networks, func(n *network) bool { return n.called(name) })
}

// taken are the addresses of a network that routers have there.
func (l *layout) taken(n *network) map[netip.Addr]bool {
	all := map[netip.Addr]bool{}
	for _, r := range l.spec.Routers {
		for _, u := range r.Ways() {
			for _, p := range address(u).list() {
				all[p.Addr()] = u.Network == n.name || n.lan() && u.Network == ""
			}
		}
	}
	return all
}

// seat plans two guests. Those that forwards lead to come first, then those that
// the file reserves addresses for. Where kvmnet holds no address the guests choose
// theirs.
func (n *network) seat(targets []spec.Target, taken map[netip.Addr]bool) error {
	for i := range n.seats {
		s := &n.seats[i]
		s.name = fmt.Sprintf("%s-%d", n.name, i+1)
		if i < len(targets) && targets[i].Name != "" {
			s.name = targets[i].Name
		}
		s.mac = spec.GenerateMAC("demo/" + s.name)
		switch {
		case n.lan():
			s.addr = duo{nth(lanGateway[v4], 20+10*n.index+i), nth(lanGateway[v6], 32+16*n.index+i)}
		case n.silent():
			s.addr = chosen(n.index, 2+i)
		}
	}
	if n.lan() {
		return nil
	}
	for _, s := range n.subnets() {
		if n.gateways()[familyOf(s.Address.Addr())] != s.Address {
			continue
		}
		if err := n.seatIn(s, targets, taken); err != nil {
			return fmt.Errorf("seat two guests in network %s: %w", n.name, err)
		}
	}
	return nil
}

// seatIn gives both guests an address of the subnet.
func (n *network) seatIn(s spec.Subnet, targets []spec.Target, taken map[netip.Addr]bool) error {
	taken = maps.Clone(taken)
	if taken == nil {
		taken = map[netip.Addr]bool{}
	}
	taken[s.Address.Addr()] = true
	f := familyOf(s.Address.Addr())
	hosts := n.reserved(s, taken)
	for i, t := range targets {
		if t.Addr.IsValid() && s.Address.Contains(t.Addr) {
			taken[t.Addr], n.seats[i].addr[f] = true, netip.PrefixFrom(t.Addr, s.Address.Bits())
		}
	}
	for i := range n.seats {
		guest := &n.seats[i]
		switch r := hosts[i]; {
		case guest.addr.has(f):
			continue
		case r.IP.IsValid():
			guest.addr[f] = netip.PrefixFrom(r.IP, s.Address.Bits())
			if !r.MAC.IsZero() {
				guest.mac = r.MAC
			}
			continue
		}
		a, ok := free(s.Address, 20+10*i, taken)
		if !ok {
			return fmt.Errorf("subnet %s has no room", s.Address.Masked())
		}
		taken[a.Addr()], guest.addr[f] = true, a
	}
	return nil
}

// reserved are the reservations of a subnet as the guests take them: each the one
// under its own name, or else one that goes by a MAC. All of them are taken.
func (n *network) reserved(s spec.Subnet, taken map[netip.Addr]bool) (own [2]spec.Reservation) {
	if s.DHCP == nil {
		return own
	}
	names := slices.Sorted(maps.Keys(s.DHCP.Hosts))
	for _, name := range names {
		taken[s.DHCP.Hosts[name].IP] = true
	}
	for i := range own {
		if r, ok := s.DHCP.Hosts[n.seats[i].name]; ok {
			own[i] = r
		} else if i < len(names) && !n.called(names[i]) && !s.DHCP.Hosts[names[i]].MAC.IsZero() {
			own[i] = s.DHCP.Hosts[names[i]]
		}
	}
	return own
}

// called reports whether a guest has that name.
func (n *network) called(name string) bool {
	return slices.ContainsFunc(n.seats[:], func(s seat) bool { return s.name == name })
}
