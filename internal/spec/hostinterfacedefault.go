package spec

import (
	"fmt"
	"slices"
)

// Default fills in what follows from the interface alone: its type and when it comes
// up, and the name of a VLAN. Values that are set stay, so a second call changes
// nothing.
func (i *HostInterface) Default() {
	i.defaultDevice()
	if i.Start == "" {
		i.Start = StartOnBoot
	}
}

// defaultDevice fills in what ports have, too.
func (i *HostInterface) defaultDevice() {
	if i.Type == "" {
		i.Type = i.typeByDetails()
	}
	if i.Name == "" && i.VLAN != nil && i.VLAN.On != "" {
		i.Name = fmt.Sprintf("%s.%d", i.VLAN.On, i.VLAN.Tag)
	}
	if i.Bridge != nil {
		defaultPorts(i.Bridge.Ports)
	}
	if i.Bond != nil {
		defaultPorts(i.Bond.Ports)
		if i.Bond.Mode == "" {
			i.Bond.Mode = BondModes[0]
		}
	}
}

func defaultPorts(ports []HostInterface) {
	for k := range ports {
		ports[k].defaultDevice()
	}
}

// typeByDetails is the type that the details of an interface tell.
func (i *HostInterface) typeByDetails() InterfaceType {
	switch {
	case i.Bridge != nil:
		return BridgeInterface
	case i.Bond != nil:
		return BondInterface
	case i.VLAN != nil:
		return VLANInterface
	}
	return EthernetInterface
}

// Clone is a copy whose devices may be changed: it shares nothing with the interface
// but what nobody changes in place, the values of its addresses, routes and monitors.
func (i HostInterface) Clone() HostInterface {
	if i.Bridge != nil {
		b := *i.Bridge
		b.Ports = clonePorts(b.Ports)
		i.Bridge = &b
	}
	if i.Bond != nil {
		b := *i.Bond
		b.Ports = clonePorts(b.Ports)
		i.Bond = &b
	}
	return i
}

func clonePorts(ports []HostInterface) []HostInterface {
	ports = slices.Clone(ports)
	for k := range ports {
		ports[k] = ports[k].Clone()
	}
	return ports
}
