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
	Source  string // neighbour (the host's ARP and ND tables) or wire
}

// Seen lists who is seen on the networks that run: in the host's neighbour tables,
// and by the look-outs of networks of mode bridge, whose guests need not talk to
// the host at all.
func (s *Servers) Seen(ctx context.Context) ([]Sighting, error) {
	s.mu.Lock()
	networks, list := map[string]*network{}, []Sighting(nil)
	for _, n := range s.networks {
		networks[n.bridge] = n
		list = append(list, n.claims()...)
	}
	s.mu.Unlock()
	neighbours, err := s.o.Kernel.Neighbours(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range neighbours {
		if n := networks[x.Link]; n != nil {
			list = append(list, Sighting{Network: n.name, MAC: x.MAC, Addr: x.Addr, Source: "neighbour"})
		}
	}
	return list, s.findPorts(ctx, networks, list)
}

// findPorts fills in behind which ports the guests are, as the bridges learnt it.
func (s *Servers) findPorts(ctx context.Context, networks map[string]*network, list []Sighting) error {
	type place struct {
		network string
		mac     spec.MAC
	}
	entries, err := s.o.Kernel.FDB(ctx)
	if err != nil {
		return err
	}
	ports := map[place]string{}
	for _, e := range entries {
		if n := networks[e.Bridge]; n != nil {
			ports[place{n.name, e.MAC}] = n.portName(e.Port)
		}
	}
	for i, x := range list {
		list[i].Port = ports[place{x.Network, x.MAC}]
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
