package libvirtxml

import "cmp"

// fits checks that the bridge, the devices and the addresses of a network go with its
// mode.
func (d *decoder) fits(root, e *node, n *Network) error {
	mode := n.mode()
	switch mode {
	case "nat", "route", "open":
		return d.fitsRouted(root, e, n, mode)
	case "private", "vepa", "passthrough", "hostdev":
		if err := d.fitsNoBridge(root, n, mode); err != nil {
			return err
		}
		return d.fitsBridge(root, n, mode)
	case "bridge":
		return d.fitsBridge(root, n, mode)
	}
	return nil
}

// mode is how guests leave a network, "none" when they do not.
func (n *Network) mode() string {
	if n.Forward == nil {
		return "none"
	}
	return cmp.Or(n.Forward.Mode, "nat")
}

// fitsRouted checks a network whose guests leave through the host's routes.
func (d *decoder) fitsRouted(root, e *node, n *Network, mode string) error {
	switch {
	case len(n.IPs) == 0:
		return refuse(e.at, classXML, "%s forwarding requested, but no IP address provided for network '%s'", mode, d.network)
	case mode == "open" && len(n.Forward.Interfaces) > 0:
		return refuse(e.place("dev"), classXML, "forward dev not allowed for network '%s' with forward mode='%s'", d.network, mode)
	case len(n.Forward.Interfaces) > 1:
		return refuse(e.at, classXML, "multiple forwarding interfaces specified for network '%s', only one is supported", d.network)
	}
	return nil
}

// fitsNoBridge checks a network whose guests are attached to devices.
func (d *decoder) fitsNoBridge(root *node, n *Network, mode string) error {
	e := first(root.elements("bridge"))
	switch {
	case n.Bridge == nil:
	case n.Bridge.Name != "":
		return refuse(e.place("name"), classXML, "bridge name not allowed in %s mode (network '%s')", mode, d.network)
	case n.Bridge.Zone != "":
		return refuse(e.place("zone"), classXML, "bridge zone not allowed in %s mode (network '%s')", mode, d.network)
	case n.Bridge.MACTableManager != "":
		return refuse(e.place("macTableManager"), classXML, "bridge macTableManager setting not allowed in %s mode (network '%s')", mode, d.network)
	}
	return nil
}

// fitsBridge checks a network whose bridge, if it has one, is not libvirt's to set up.
func (d *decoder) fitsBridge(root *node, n *Network, mode string) error {
	e := first(root.elements("bridge"))
	b := n.Bridge
	switch {
	case b != nil && (b.STP != "" || b.Zone != "" || b.Delay != "" && b.Delay != "0"):
		return refuse(e.at, classXML, "bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in %s (network '%s')", mode, d.network)
	case b != nil && b.Name != "" && n.Forward != nil && len(n.Forward.Interfaces)+len(n.Forward.Addresses)+len(n.Forward.PFs) > 0:
		return refuse(e.place("name"), classXML, "A network with forward mode='%s' can specify a bridge name or a forward dev, but not both (network '%s')", mode, d.network)
	case n.MTU > 0:
		return refuse(first(root.elements("mtu")).place("size"), classXML, "mtu size only allowed in open, route, nat, and isolated mode, not in %s (network '%s')", mode, d.network)
	}
	return nil
}
