package libvirtxml

// checkPortGroups refuses two classes of one name, and two for ports that name none.
func (n *Network) checkPortGroups() string {
	seen, standard := map[string]bool{}, ""
	for _, g := range n.PortGroups {
		if seen[g.Name] {
			return classUnsupported + "multiple <portgroup> elements with the same name (" + g.Name + ") in network '" + n.Name + "'"
		}
		seen[g.Name] = true
	}
	for _, g := range n.PortGroups {
		switch {
		case g.Default != "yes":
		case standard != "":
			return classUnsupported + "network '" + n.Name + "' has multiple default <portgroup> elements (" + standard + " and " + g.Name + "), but only one default is allowed"
		default:
			standard = g.Name
		}
	}
	return ""
}

// checkPorts refuses limits and VLANs that a mode has no means for.
func (n *Network) checkPorts() string {
	for _, g := range n.PortGroups {
		if g.Bandwidth != nil && !n.limited() {
			return classUnsupported + "Unsupported <bandwidth> element in network '" + n.Name + "' in portgroup '" + g.Name + "' with forward mode='" + n.mode() + "'"
		}
	}
	return n.checkVLANs()
}

// checkVLANs refuses VLANs where frames cannot be tagged: on ports of a class, and on
// others unless every port is of one.
func (n *Network) checkVLANs() string {
	standard := false
	for _, g := range n.PortGroups {
		if tagged := n.VLAN != nil || g.VLAN != nil; tagged && !n.tagsClass(g) {
			return n.noVLAN()
		}
		standard = standard || g.Default == "yes"
	}
	if n.VLAN != nil && !standard && !n.tags() {
		return n.noVLAN()
	}
	return ""
}

// tagsClass reports whether frames of a class of ports can be tagged.
func (n *Network) tagsClass(g PortGroup) bool {
	if g.VirtualPort == nil {
		return n.tags()
	}
	return n.mode() == "bridge" && g.VirtualPort.Type == "openvswitch"
}

// tags reports whether frames can be tagged: by Open vSwitch, or by a device.
func (n *Network) tags() bool {
	switch n.mode() {
	case "hostdev", "passthrough":
		return true
	case "bridge":
		return n.VirtualPort != nil && n.VirtualPort.Type == "openvswitch"
	}
	return false
}

func (n *Network) noVLAN() string {
	return classUnsupported + "<vlan> element specified for network " + n.Name + ", whose type doesn't support vlan configuration"
}
