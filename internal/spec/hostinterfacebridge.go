package spec

import (
	"fmt"
	"slices"
)

// Bridged is the bridge into which an interface moves with its addresses: what virsh
// iface-bridge made of it. When it comes up, its MTU and its addresses are the
// bridge's, and what makes it the device it is stays with it, as the bridge's only
// port. The port keeps the MTU, too, without which the bridge could not have it.
func (i HostInterface) Bridged(bridge string, stp bool, delay Seconds) HostInterface {
	b := HostInterface{Name: bridge, Type: BridgeInterface, Start: i.Start, MTU: i.MTU, IPv4: i.IPv4, IPv6: i.IPv6,
		Bridge: &BridgeDetails{STP: stp, Delay: delay}}
	i.Start, i.IPv4, i.IPv6 = "", nil, nil
	b.Bridge.Ports = []HostInterface{i}
	return b
}

// Unbridged is the interface that is the only port of a bridge, with the bridge's
// addresses: what virsh iface-unbridge made of it.
func (i HostInterface) Unbridged() (HostInterface, error) {
	switch {
	case i.Type != BridgeInterface || i.Bridge == nil:
		return HostInterface{}, fmt.Errorf("%s is no bridge", i.Name)
	case len(i.Bridge.Ports) == 0:
		return HostInterface{}, fmt.Errorf("%s has no port that could take its addresses", i.Name)
	case len(i.Bridge.Ports) > 1:
		return HostInterface{}, fmt.Errorf("%s has several ports, and its addresses go to one only", i.Name)
	}
	p := i.Bridge.Ports[0]
	p.Start, p.IPv4, p.IPv6 = i.Start, i.IPv4, i.IPv6
	if p.MTU == 0 {
		p.MTU = i.MTU
	}
	return p, nil
}

// Ports are the interfaces that are ports of a bridge or a bond.
func (i HostInterface) Ports() []HostInterface {
	switch {
	case i.Bridge != nil:
		return i.Bridge.Ports
	case i.Bond != nil:
		return i.Bond.Ports
	}
	return nil
}

// Names are those of the interface and of all that it is made of, below it included.
func (i HostInterface) Names() []string {
	names := []string{i.Name}
	for _, p := range i.Ports() {
		names = append(names, p.Names()...)
	}
	if i.VLAN != nil {
		names = append(names, i.VLAN.On)
	}
	return slices.Compact(names)
}
