package libvirtxml

import (
	"fmt"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// Port is a <networkport> document: one NIC of a guest on a network.
type Port struct {
	UUID                string
	Owner               string // the guest's name
	OwnerUUID           string
	Group               string // the portgroup
	MAC                 spec.MAC
	VirtualPort         *VirtualPort
	Bandwidth           *Bandwidth
	ClassID             int // of the floor's class; 0 = none
	VLAN                *VLAN
	Isolated            string
	TrustGuestRxFilters string
	Plug                *Plug // what it hangs on; nil before it is on a network

	Notes []specfile.Problem // what of the document is ignored, without the name of the file
}

// Plug is what a port hangs on.
type Plug struct {
	Type            string // network and bridge: Bridge; direct: Dev, Mode; hostdev-pci: the rest
	Bridge          string
	MACTableManager string
	Dev, Mode       string
	Managed, Driver string
	Address         PCIAddress
}

// Join makes the port one of a running network, as libvirt does when it is made: what
// the port leaves open its portgroup says, or else the network, which tells what it
// is plugged into. Of the devices of a macvtap network it takes the one with the
// fewest connections.
func (p *Port) Join(n *Network) error {
	if p.Plug != nil {
		return &Error{Message: "invalid argument: Port reclaim not requested but plug type is not none"}
	}
	joined := *p
	if err := joined.inherit(n, n.portGroup(p.Group)); err != nil {
		return err
	}
	if err := joined.floor(n); err != nil {
		return err
	}
	plug, err := n.plug(joined.VirtualPort)
	if err != nil {
		return err
	}
	if joined.Plug = plug; joined.VirtualPort != nil && joined.VirtualPort.Type == "" {
		joined.VirtualPort = nil // it says nothing
	}
	*p = joined
	return nil
}

// inherit fills in what the port leaves open.
func (p *Port) inherit(n *Network, g PortGroup) error {
	if p.Bandwidth == nil {
		p.Bandwidth = g.Bandwidth
	}
	for _, vlan := range []*VLAN{g.VLAN, n.VLAN} {
		if p.VLAN == nil {
			p.VLAN = vlan
		}
	}
	p.TrustGuestRxFilters = or(or(p.TrustGuestRxFilters, g.TrustGuestRxFilters), n.TrustGuestRxFilters)
	p.Isolated = or(p.Isolated, n.Isolated)
	return p.mergeVirtualPorts(n, g)
}

// portGroup is the portgroup of a name, or the default one for a port that names
// none. Libvirt does not mind a name that no portgroup has.
func (n *Network) portGroup(name string) PortGroup {
	i := slices.IndexFunc(n.PortGroups, func(g PortGroup) bool {
		return name == "" && g.Default == "yes" || name != "" && g.Name == name
	})
	if i < 0 {
		return PortGroup{}
	}
	return n.PortGroups[i]
}

// plug tells what a port is plugged into.
func (n *Network) plug(vp *VirtualPort) (*Plug, error) {
	bridge := Bridge{}
	if n.Bridge != nil {
		bridge = *n.Bridge
	}
	switch {
	case n.bridged() && vp != nil:
		return nil, &Error{Message: classUnsupported + "<virtualport type='" + or(vp.Type, "none") + "'> not supported for network '" + n.Name + "' which uses IP forwarding"}
	case n.bridged():
		return &Plug{Type: "network", Bridge: bridge.Name, MACTableManager: bridge.MACTableManager}, nil
	case n.Forward.Mode == "hostdev":
		return nil, &Error{Message: classUnsupported + "network '" + n.Name + "' of mode hostdev gives devices of the host to guests, which is not supported here"}
	case bridge.Name != "":
		return &Plug{Type: "bridge", Bridge: bridge.Name, MACTableManager: bridge.MACTableManager}, nil
	}
	return n.direct(vp)
}

// direct chooses the device of a macvtap port. Some modes leave a device to one
// port.
func (n *Network) direct(vp *VirtualPort) (*Plug, error) {
	f := n.Forward
	if len(f.Interfaces) == 0 {
		return nil, &Error{Message: classInternal + "network '" + n.Name + "' uses a direct mode, but has no forward dev and no interface pool"}
	}
	least := slices.MinFunc(f.Interfaces, func(a, b Device) int { return a.Connections - b.Connections })
	alone := f.Mode == "passthrough" || f.Mode == "private" && vp != nil && vp.Type == "802.1Qbh"
	if alone && least.Connections > 0 {
		return nil, &Error{Message: classInternal + "network '" + n.Name + "' requires exclusive access to interfaces, but none are available"}
	}
	return &Plug{Type: "direct", Dev: least.Name, Mode: f.Mode}, nil
}

// floor refuses a guaranteed rate where there is nothing to take it from.
func (p *Port) floor(n *Network) error {
	if p.Bandwidth == nil || p.Bandwidth.In == nil || p.Bandwidth.In.Floor == 0 {
		return nil
	}
	invalid := classRefused + "Invalid use of 'floor' on interface with MAC address " + p.MAC.String() + " - "
	switch {
	case !n.bridged():
		return &Error{Message: invalid + "'floor' is only supported for interface type 'network' with forward type 'nat', 'route', 'open' or none"}
	case n.Bandwidth == nil || n.Bandwidth.In == nil:
		return &Error{Message: invalid + "network '" + n.Name + "' has no inbound QoS set"}
	}
	return nil
}

// mergeVirtualPorts makes one of what the port, the network and the portgroup say
// to a switch outside. They must not contradict each other.
func (p *Port) mergeVirtualPorts(n *Network, g PortGroup) error {
	var merged *VirtualPort
	for _, vp := range []*VirtualPort{p.VirtualPort, n.VirtualPort, g.VirtualPort} {
		if vp == nil {
			continue
		}
		if merged == nil {
			merged = &VirtualPort{}
		}
		if err := merged.merge(vp); err != nil {
			return err
		}
	}
	p.VirtualPort = merged
	return nil
}

func (vp *VirtualPort) merge(other *VirtualPort) error {
	if vp.Type != "" && other.Type != "" && vp.Type != other.Type {
		return &Error{Message: classXML + "attempt to merge virtualports with mismatched types (" + vp.Type + " and " + other.Type + ")"}
	}
	vp.Type = or(vp.Type, other.Type)
	for _, a := range other.Parameters {
		i := slices.IndexFunc(vp.Parameters, func(mine Attribute) bool { return mine.Name == a.Name })
		if i < 0 {
			vp.Parameters = append(vp.Parameters, a)
		} else if mine := vp.Parameters[i]; mine.Value != a.Value {
			return &Error{Message: fmt.Sprintf(classXML+"attempt to merge virtualports with mismatched %ss (%s and %s)", a.Name, a.shown(mine.Value), a.shown(a.Value))}
		}
	}
	order := func(a Attribute) int {
		return slices.IndexFunc(parameters, func(p parameter) bool { return p.name == a.Name })
	}
	slices.SortFunc(vp.Parameters, func(a, b Attribute) int {
		return order(a) - order(b)
	})
	return nil
}

// shown is a value as libvirt tells it: numbers as they are.
func (a Attribute) shown(value string) string {
	if slices.Contains([]string{"managerid", "typeid", "typeidversion"}, a.Name) {
		return value
	}
	return "'" + value + "'"
}
