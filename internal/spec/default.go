package spec

import (
	"maps"
	"slices"
)

// Default fills in what follows from the Spec alone: the names of managed
// bridges, type, interface, peer and MAC of ports, names and egress of routers'
// interfaces, the protocol of forwards and the priority of policies. (The MACs of
// bridges and routers must differ from host to host, so they take facts.) Values
// that are set stay, so a second call changes nothing. A generated value depends
// on the object itself only, unless that value is taken by another object of this
// Spec; whoever wants generated values to outlive later additions stores the Spec
// after Default.
func (s *Spec) Default() {
	s.defaultNames()
	s.defaultMACs()
	for _, r := range sorted(s.Routers) {
		r.defaults()
	}
	for _, f := range sorted(s.Forwards) {
		if f.Protocol == "" && !f.Floating.IsValid() {
			f.Protocol = TCP
		}
	}
	for _, p := range sorted(s.Policies) {
		if p.Priority == 0 {
			p.Priority = DefaultPriority
		}
	}
}

// defaults names the interfaces of a router, in their order, and says how they
// leave.
func (r *Router) defaults() {
	for k, name := range r.InterfaceNames() {
		i := &r.Interfaces[k]
		i.Name = name
		if i.Egress == "" {
			i.Egress = EgressNone
		}
	}
}

func (s *Spec) defaultNames() {
	names := naming{}
	names.takeSet(s)
	for name, n := range sorted(s.Networks) {
		if n.Mode.Managed() && n.Bridge.Name == "" {
			names.want(&n.Bridge.Name, name, "network/"+name)
		}
	}
	for name, p := range sorted(s.Ports) {
		if p.Type == "" {
			p.Type = s.portType(p)
		}
		if p.Interface == "" {
			names.want(&p.Interface, name, "port/"+name)
		}
	}
	names.assign()
	for name, p := range sorted(s.Ports) {
		if p.Type == Veth && p.Peer == "" {
			names.want(&p.Peer, p.Interface+"-p", "peer/"+name)
		}
	}
	names.assign()
}

// portType is what a port is where it does not say so.
func (s *Spec) portType(p *Port) PortType {
	if n := s.Networks[p.Network]; n != nil && n.Direct != nil {
		return Macvtap
	}
	return Tap
}

func (s *Spec) defaultMACs() {
	taken := map[MAC]bool{}
	for _, n := range sorted(s.Networks) {
		taken[n.Bridge.MAC] = true
		for _, r := range n.reservations() {
			taken[r.MAC] = true
		}
	}
	for _, b := range sorted(s.Bridges) {
		taken[b.MAC] = true
	}
	for _, p := range s.Ports {
		if p != nil {
			taken[p.MAC] = true
		}
	}
	for _, r := range sorted(s.Routers) {
		r.takeMACs(taken)
	}
	for name, p := range sorted(s.Ports) {
		if p.MAC.IsZero() && p.Held != HeldOutside { // whose guest has one of its own
			p.MAC = freeMAC("port/"+name, taken)
			taken[p.MAC] = true
		}
	}
}

// takeMACs marks the addresses that a router's interfaces and its guests have.
func (r *Router) takeMACs(taken map[MAC]bool) {
	for _, u := range r.Ways() {
		taken[u.MAC] = true
	}
	for k := range r.Interfaces {
		taken[r.Interfaces[k].MAC] = true
		for _, s := range r.Interfaces[k].Gateways() {
			if s.DHCP != nil {
				for _, host := range s.DHCP.Hosts {
					taken[host.MAC] = true
				}
			}
		}
	}
}

// reservations returns all reservations of a network.
func (n *Network) reservations() []Reservation {
	var list []Reservation
	for _, s := range n.servedSubnets("") {
		list = slices.AppendSeq(list, maps.Values(s.DHCP.Hosts))
	}
	return list
}

// sorted yields the objects of a map in the order of their names, without the
// nil ones that a JSON null makes.
func sorted[T any](m map[string]*T) func(yield func(string, *T) bool) {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if m[name] != nil && !yield(name, m[name]) {
				return
			}
		}
	}
}
