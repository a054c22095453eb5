package libvirtxml

import "strconv"

// portGroup writes a class of ports, always with an end tag.
func (w *writer) portGroup(g PortGroup) {
	w.open("portgroup", pair{name: "name", value: g.Name}, pair{name: "default", value: g.Default}, pair{name: "trustGuestRxFilters", value: g.TrustGuestRxFilters})
	w.vlan(g.VLAN)
	w.virtualPort(g.VirtualPort)
	w.bandwidth(g.Bandwidth)
	w.isolated(g.Isolated)
	w.close("portgroup")
}

func (w *writer) vlan(v *VLAN) {
	if v == nil {
		return
	}
	w.open("vlan", pair{name: "trunk", value: v.Trunk})
	for _, tag := range v.Tags {
		w.empty("tag", pair{name: "id", value: strconv.Itoa(tag.ID)}, pair{name: "nativeMode", value: tag.NativeMode})
	}
	w.close("vlan")
}

// bandwidth writes limits. A direction without an average has none.
func (w *writer) bandwidth(b *Bandwidth) {
	if b == nil || b.In.none() && b.Out.none() {
		return
	}
	w.open("bandwidth")
	w.limit("inbound", b.In)
	w.limit("outbound", b.Out)
	w.close("bandwidth")
}

func (l *Limit) none() bool { return l == nil || l.Average == 0 && l.Floor == 0 }

func (w *writer) limit(name string, l *Limit) {
	if l.none() {
		return
	}
	w.empty(name, pair{name: "average", value: positive(l.Average)}, pair{name: "peak", value: positive(l.Peak)},
		pair{name: "floor", value: positive(l.Floor)}, pair{name: "burst", value: positive(l.Burst)})
}

func (w *writer) virtualPort(v *VirtualPort) {
	if v == nil || v.Type == "" && len(v.Parameters) == 0 {
		return
	}
	w.around("virtualport", []pair{{name: "type", value: v.Type}}, func(w *writer) {
		var pairs []pair
		for _, p := range v.Parameters {
			pairs = append(pairs, pair{name: p.Name, value: p.Value})
		}
		if len(pairs) > 0 {
			w.empty("parameters", pairs...)
		}
	})
}
