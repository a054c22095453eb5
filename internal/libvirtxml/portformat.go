package libvirtxml

import "net"

// Format writes the port as libvirt does: net-port-dumpxml prints this.
func (p *Port) Format() string {
	w := &writer{}
	w.open("networkport")
	w.text("uuid", p.UUID)
	w.owner(p)
	w.text("group", p.Group)
	if !p.partial() || !p.MAC.IsZero() {
		w.empty("mac", pair{name: "address", value: net.HardwareAddr(p.MAC[:]).String()})
	}
	w.virtualPort(p.VirtualPort)
	w.portBandwidth(p)
	w.vlan(p.VLAN)
	w.isolated(p.Isolated)
	if p.TrustGuestRxFilters != "" {
		w.empty("rxfilters", pair{name: "trustGuest", value: p.TrustGuestRxFilters})
	}
	w.plug(p.Plug)
	w.close("networkport")
	return w.b.String()
}

// partial reports whether it is only what is kept of a port.
func (p *Port) partial() bool { return p.UUID == "" }

// owner writes whose the port is; what is kept of a port may not say.
func (w *writer) owner(p *Port) {
	if p.Owner == "" && p.OwnerUUID == "" {
		return
	}
	w.open("owner")
	w.text("name", p.Owner)
	w.text("uuid", p.OwnerUUID)
	w.close("owner")
}

// portBandwidth writes limits, and the class of traffic that has what is guaranteed.
func (w *writer) portBandwidth(p *Port) {
	if p.Bandwidth == nil {
		return
	}
	w.open("bandwidth", pair{name: "classID", value: positive(p.ClassID)})
	start := w.b.Len()
	w.limit("inbound", p.Bandwidth.In)
	w.limit("outbound", p.Bandwidth.Out)
	if p.partial() && w.b.Len() == start {
		w.empty("inbound", number10("average", 0)) // read again it would be no limits, and those of a portgroup would be taken
	}
	w.close("bandwidth")
}

func (w *writer) plug(p *Plug) {
	if p == nil {
		return
	}
	pairs := []pair{{name: "type", value: p.Type}}
	switch p.Type {
	case "direct":
		w.empty("plug", append(pairs, pair{name: "dev", value: p.Dev}, pair{name: "mode", value: p.Mode})...)
	case "hostdev-pci":
		w.open("plug", append(pairs, pair{name: "managed", value: p.Managed})...)
		if p.Driver != "" {
			w.empty("driver", pair{name: "name", value: p.Driver})
		}
		w.empty("address", pair{name: "domain", value: p.Address.Domain}, pair{name: "bus", value: p.Address.Bus},
			pair{name: "slot", value: p.Address.Slot}, pair{name: "function", value: p.Address.Function})
		w.close("plug")
	default:
		w.empty("plug", append(pairs, pair{name: "bridge", value: p.Bridge}, pair{name: "macTableManager", value: p.MACTableManager})...)
	}
}
