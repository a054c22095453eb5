package libvirtxml

import "strconv"

// link reads <bridge>, <mac> and <mtu>.
func (d *decoder) link(root *node, n *Network) error {
	if e := first(root.elements("bridge")); e != nil {
		var err error
		if n.Bridge, err = d.bridge(e); err != nil {
			return err
		}
	}
	if e := first(root.elements("mac")); e.own("address") != "" {
		address, at := e.own("address"), e.place("address")
		mac, ok := parseMAC(address)
		switch {
		case !ok:
			return refuse(at, classXML, "Invalid bridge mac address '%s' in network '%s'", address, d.network)
		case mac.IsMulticast():
			return refuse(at, classXML, "Invalid multicast bridge mac address '%s' in network '%s'", address, d.network)
		}
		n.MAC = mac
	}
	if e := first(root.elements("mtu")); e.own("size") != "" {
		size, ok := parseNumber(e.own("size"), 10, 32)
		if !ok {
			return refuse(e.place("size"), classXML, "Invalid mtu size '%s' in network '%s'", e.own("size"), d.network)
		}
		n.MTU = int(size)
	}
	return nil
}

// bridge reads <bridge>. The spanning tree protocol is on unless the word is off.
func (d *decoder) bridge(e *node) (*Bridge, error) {
	b := &Bridge{Name: e.own("name"), Zone: e.own("zone"), MACTableManager: e.own("macTableManager")}
	if stp := e.own("stp"); stp != "" {
		b.STP = "on"
		if stp == "off" {
			b.STP = stp
		}
	}
	if delay := e.own("delay"); delay != "" {
		value, ok := parseUnsigned(delay, 10, 64)
		if !ok {
			return nil, refuse(e.place("delay"), classXML, "Invalid delay value in network '%s'", d.network)
		}
		b.Delay = strconv.FormatUint(value, 10)
	}
	switch b.MACTableManager {
	case "", "kernel", "libvirt":
		return b, nil
	}
	return nil, refuse(e.place("macTableManager"), classXML, "Invalid macTableManager setting '%s' in network '%s'", b.MACTableManager, d.network)
}
