package libvirtxml

import (
	"strconv"

	"kvmnet/internal/xmltree"
)

// link reads <bridge>, <mac> and <mtu>.
func (d *decoder) link(root *xmltree.Node, n *Network) error {
	if e := root.Element("bridge"); e != nil {
		var err error
		if n.Bridge, err = d.bridge(e); err != nil {
			return err
		}
	}
	if e := root.Element("mac"); e.Own("address") != "" {
		address, at := e.Own("address"), e.Place("address")
		mac, ok := parseMAC(address)
		switch {
		case !ok:
			return refuse(at, classXML, "Invalid bridge mac address '%s' in network '%s'", address, d.network)
		case mac.IsMulticast():
			return refuse(at, classXML, "Invalid multicast bridge mac address '%s' in network '%s'", address, d.network)
		}
		n.MAC = mac
	}
	if e := root.Element("mtu"); e.Own("size") != "" {
		size, ok := parseNumber(e.Own("size"), 10, 32)
		if !ok {
			return refuse(e.Place("size"), classXML, "Invalid mtu size '%s' in network '%s'", e.Own("size"), d.network)
		}
		n.MTU = int(size)
	}
	return nil
}

// bridge reads <bridge>. The spanning tree protocol is on unless the word is off.
func (d *decoder) bridge(e *xmltree.Node) (*Bridge, error) {
	b := &Bridge{Name: e.Own("name"), Zone: e.Own("zone"), MACTableManager: e.Own("macTableManager")}
	if stp := e.Own("stp"); stp != "" {
		b.STP = "on"
		if stp == "off" {
			b.STP = stp
		}
	}
	if delay := e.Own("delay"); delay != "" {
		value, ok := parseUnsigned(delay, 10, 64)
		if !ok {
			return nil, refuse(e.Place("delay"), classXML, "Invalid delay value in network '%s'", d.network)
		}
		b.Delay = strconv.FormatUint(value, 10)
	}
	switch b.MACTableManager {
	case "", "kernel", "libvirt":
		return b, nil
	}
	return nil, refuse(e.Place("macTableManager"), classXML, "Invalid macTableManager setting '%s' in network '%s'", b.MACTableManager, d.network)
}
