package libvirtxml

import (
	"cmp"

	"kvmnet/internal/xmltree"
)

// fits checks that the bridge, the devices and the addresses of a network go with its
// mode.
func (d *decoder) fits(root, e *xmltree.Node, n *Network) error {
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
func (d *decoder) fitsRouted(root, e *xmltree.Node, n *Network, mode string) error {
	switch {
	case len(n.IPs) == 0:
		return refuse(e.At, classXML, "%s forwarding requested, but no IP address provided for network '%s'", mode, d.network)
	case mode == "open" && len(n.Forward.Interfaces) > 0:
		return refuse(e.Place("dev"), classXML, "forward dev not allowed for network '%s' with forward mode='%s'", d.network, mode)
	case len(n.Forward.Interfaces) > 1:
		return refuse(e.At, classXML, "multiple forwarding interfaces specified for network '%s', only one is supported", d.network)
	}
	return nil
}

// fitsNoBridge checks a network whose guests are attached to devices.
func (d *decoder) fitsNoBridge(root *xmltree.Node, n *Network, mode string) error {
	e := root.Element("bridge")
	switch {
	case n.Bridge == nil:
	case n.Bridge.Name != "":
		return refuse(e.Place("name"), classXML, "bridge name not allowed in %s mode (network '%s')", mode, d.network)
	case n.Bridge.Zone != "":
		return refuse(e.Place("zone"), classXML, "bridge zone not allowed in %s mode (network '%s')", mode, d.network)
	case n.Bridge.MACTableManager != "":
		return refuse(e.Place("macTableManager"), classXML, "bridge macTableManager setting not allowed in %s mode (network '%s')", mode, d.network)
	}
	return nil
}

// fitsBridge checks a network whose bridge, if it has one, is not libvirt's to set up.
func (d *decoder) fitsBridge(root *xmltree.Node, n *Network, mode string) error {
	e := root.Element("bridge")
	b := n.Bridge
	switch {
	case b != nil && (b.STP != "" || b.Zone != "" || b.Delay != "" && b.Delay != "0"):
		return refuse(e.At, classXML, "bridge delay/stp/zone options only allowed in route, nat, and isolated mode, not in %s (network '%s')", mode, d.network)
	case b != nil && b.Name != "" && n.Forward != nil && len(n.Forward.Interfaces)+len(n.Forward.Addresses)+len(n.Forward.PFs) > 0:
		return refuse(e.Place("name"), classXML, "A network with forward mode='%s' can specify a bridge name or a forward dev, but not both (network '%s')", mode, d.network)
	case n.MTU > 0:
		return refuse(root.Element("mtu").Place("size"), classXML, "mtu size only allowed in open, route, nat, and isolated mode, not in %s (network '%s')", mode, d.network)
	}
	return nil
}
