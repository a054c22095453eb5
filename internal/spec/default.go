package spec

import (
	"maps"
	"slices"
)

// Default fills in what follows from the Spec alone: the names of managed
// bridges, and type, interface, peer and MAC of ports. (The MAC of a bridge must
// differ from host to host, so it takes facts.) Values that are
// set stay, so a second call changes nothing. A generated value depends on the
// object's own name only, unless that value is taken by another object of this
// Spec; whoever wants generated values to outlive later additions stores the
// Spec after Default.
func (s *Spec) Default() {
	s.defaultNames()
	s.defaultMACs()
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
			p.Type = Tap
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
	for name, p := range sorted(s.Ports) {
		if p.MAC.IsZero() {
			p.MAC = freeMAC("port/"+name, taken)
			taken[p.MAC] = true
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
