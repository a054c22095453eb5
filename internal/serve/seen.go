package serve

import (
	"context"
	"net/netip"

	"kvmnet/internal/spec"
)

// Sighting is a guest that was seen with an address.
type Sighting struct {
	Network string
	MAC     spec.MAC
	Addr    netip.Addr
	Port    string // the port it is behind, by its name when it is ours; "" = not known
	Source  string // neighbour (the ARP and ND tables of the host or a router) or wire
}

// Seen lists who is seen on the networks that run: in the neighbour tables of the
// host and of the routers, and by the look-outs of networks of mode bridge, whose
// guests need not talk to the host at all.
func (s *Servers) Seen(ctx context.Context) ([]Sighting, error) {
	s.mu.Lock()
	bridges, devices, list := map[string]*network{}, map[string]map[string]*network{"": {}}, []Sighting(nil)
	for at, n := range s.networks {
		if devices[at.ns] == nil {
			devices[at.ns] = map[string]*network{}
		}
		bridges[n.bridge], devices[at.ns][at.device] = n, n
		list = append(list, n.claims()...)
	}
	s.mu.Unlock()
	for ns, networks := range devices {
		met, err := s.met(ctx, ns, networks)
		if err != nil {
			return nil, err
		}
		list = append(list, met...)
	}
	return list, s.findPorts(ctx, bridges, list)
}

// met lists whom a namespace has met on its devices, nobody where it is gone.
func (s *Servers) met(ctx context.Context, ns string, devices map[string]*network) (list []Sighting, err error) {
	p, there := s.placeOf(ns)
	if !there {
		return nil, nil
	}
	neighbours, err := p.kernel.Neighbours(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range neighbours {
		if n := devices[x.Link]; n != nil {
			list = append(list, Sighting{Network: n.name, MAC: x.MAC, Addr: x.Addr, Source: "neighbour"})
		}
	}
	return list, nil
}

// findPorts fills in behind which ports the guests are, as the bridges learnt it.
func (s *Servers) findPorts(ctx context.Context, networks map[string]*network, list []Sighting) error {
	type guest struct {
		network string
		mac     spec.MAC
	}
	entries, err := s.o.Kernel.FDB(ctx)
	if err != nil {
		return err
	}
	ports := map[guest]string{}
	for _, e := range entries {
		if n := networks[e.Bridge]; n != nil {
			ports[guest{n.name, e.MAC}] = n.portName(e.Port)
		}
	}
	for i, x := range list {
		list[i].Port = ports[guest{x.Network, x.MAC}]
	}
	return nil
}

// claims lists who said on a watched bridge to have which address.
func (n *network) claims() (list []Sighting) {
	if n.watch == nil {
		return nil
	}
	for _, c := range n.watch.Claims() {
		list = append(list, Sighting{Network: n.name, MAC: c.MAC, Addr: c.Addr, Source: "wire"})
	}
	return list
}
