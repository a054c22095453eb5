package libvirtxml

// unsupported tells of what no network here can have. It is kept.
func (t *translation) unsupported() {
	m := t.from
	if m.TrustGuestRxFilters == "yes" {
		t.lacking("@trustGuestRxFilters", "kvmnet does not let guests change the filters of a NIC")
	}
	if m.VLAN != nil {
		t.lacking("vlan[0]", "the bridges of kvmnet do not tag frames")
	}
	if m.VirtualPort != nil {
		t.lacking("virtualport[0]", "kvmnet speaks to no Open vSwitch, and to no switch by 802.1Qbg or 802.1Qbh")
	}
	if f := m.Forward; f != nil && f.Driver != nil {
		t.lacking("forward[0]/driver[0]", "kvmnet passes no PCI devices to guests")
	}
	if !t.to.Mode.Managed() {
		t.notOurs()
	}
	for i, g := range m.PortGroups {
		t.group(at("portgroup", i), g)
	}
}

// notOurs tells of what libvirt takes, and ignores, where the bridge is not its own.
func (t *translation) notOurs() {
	const because = "the bridge or NIC is the host's"
	if t.from.MTU != 0 {
		t.leftOut("mtu[0]", because)
	}
	if !t.from.MAC.IsZero() {
		t.leftOut("mac[0]", because)
	}
}

func (t *translation) group(place string, g PortGroup) {
	if g.TrustGuestRxFilters == "yes" {
		t.lacking(place+"@trustGuestRxFilters", "kvmnet does not let guests change the filters of a NIC")
	}
	if g.Bandwidth != nil && t.to.Direct != nil {
		t.lacking(place+"/bandwidth[0]", "limits are for ports of bridges, not for a macvtap")
	}
	if g.Isolated == "yes" {
		t.lacking(place+"/port[0]@isolated", "isolation is the network's, for all of its ports")
	}
	if g.VLAN != nil {
		t.lacking(place+"/vlan[0]", "the bridges of kvmnet do not tag frames")
	}
	if g.VirtualPort != nil {
		t.lacking(place+"/virtualport[0]", "kvmnet speaks to no Open vSwitch, and to no switch by 802.1Qbg or 802.1Qbh")
	}
}
