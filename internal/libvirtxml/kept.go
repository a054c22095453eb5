package libvirtxml

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// canonical spells out what a document leaves to libvirt's defaults, and leaves out
// what only tells of a network that runs.
func canonical(m *Network) *Network {
	c := cloned(m)
	c.Connections = 0
	if f := c.Forward; f != nil {
		f.Mode = cmp.Or(f.Mode, string(spec.NAT))
		if f.NAT != nil && *f.NAT == (NAT{}) {
			f.NAT = nil
		}
		for _, list := range [][]Device{f.PFs, f.Interfaces} {
			for i := range list {
				list[i].Connections = 0
			}
		}
		if f.Dev == "" && len(f.Interfaces) > 0 {
			f.Dev = f.Interfaces[0].Name
		} else if f.Dev != "" && len(f.Interfaces) == 0 && len(f.PFs) == 0 {
			f.Interfaces = []Device{{Name: f.Dev}}
		}
	}
	if managed(c.Forward) {
		if c.Bridge == nil {
			c.Bridge = &Bridge{}
		}
		if strings.Contains(c.Bridge.Name, "%") {
			c.Bridge.Name = ""
		}
		c.Bridge.STP, c.Bridge.Delay = cmp.Or(c.Bridge.STP, "on"), cmp.Or(c.Bridge.Delay, "0")
	}
	if c.DNS != nil && equal(*c.DNS, DNS{}) {
		c.DNS = nil
	}
	for i := range c.IPs {
		canonicalDHCP(&c.IPs[i])
	}
	return c
}

// managed reports whether the bridge of a network is made for it.
func managed(f *Forward) bool {
	return f == nil || slices.Contains([]string{"", string(spec.NAT), string(spec.Route), string(spec.Open)}, f.Mode)
}

// canonicalDHCP leaves out DHCP that gives no address, as libvirt does.
func canonicalDHCP(ip *IP) {
	d := ip.DHCP
	if d == nil {
		return
	}
	if len(d.Ranges)+len(d.Hosts) == 0 {
		ip.DHCP = nil
		return
	}
	for i := range d.Ranges {
		canonicalLease(d.Ranges[i].Lease)
	}
	for i := range d.Hosts {
		canonicalLease(d.Hosts[i].Lease)
	}
}

func canonicalLease(l *Lease) {
	switch {
	case l == nil:
	case l.Expiry == 0:
		l.Unit = "minutes" // not written: there is no end
	default:
		l.Unit = cmp.Or(l.Unit, "minutes")
	}
}

// sections yields the fields of a network that are elements or attributes of their
// own, but for those that always have a place in a spec.
func sections(m *Network, visit func(name string, v reflect.Value)) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Connections", "Name", "UUID", "Metadata", "DnsmasqLines":
		default:
			visit(name, v.Field(i))
		}
	}
}

// keptOf is what of a document has to be kept so that it comes back: the elements and
// attributes that are written otherwise by a network that means the same.
func keptOf(m, again *Network, hollow bool) string {
	kept, found := &Network{DnsmasqLines: m.DnsmasqLines}, len(m.DnsmasqLines) > 0
	other := reflect.ValueOf(again).Elem()
	sections(m, func(name string, v reflect.Value) {
		if hollow && name == "Forward" || !same(v, other.FieldByName(name)) && !v.IsZero() {
			reflect.ValueOf(kept).Elem().FieldByName(name).Set(v)
			found = true
		}
	})
	if !found {
		return ""
	}
	kept.IPs = withoutDHCP(kept.IPs, again.IPs)
	if kept.Bridge != nil && managed(m.Forward) {
		kept.Bridge = &Bridge{Zone: m.Bridge.Zone, STP: m.Bridge.STP, Delay: m.Bridge.Delay, MACTableManager: m.Bridge.MACTableManager}
	}
	text := formatKept(kept, m.mode())
	if text == formatKept(&Network{}, "") { // parts that are not written, such as limits of 0
		return ""
	}
	return text
}

// withoutDHCP leaves out the DHCP of addresses where it is written alike: it need not
// be kept twice.
func withoutDHCP(ips, again []IP) []IP {
	list := slices.Clone(ips)
	for i := range list {
		j := slices.IndexFunc(again, func(ip IP) bool { return ip.Address == list[i].Address })
		if j >= 0 && equal(list[i].DHCP, again[j].DHCP) {
			list[i].DHCP = nil
		}
	}
	return list
}

// withDHCP puts it back.
func withDHCP(ips, now []IP) []IP {
	list := slices.Clone(ips)
	for i := range list {
		j := slices.IndexFunc(now, func(ip IP) bool { return ip.Address == list[i].Address })
		if j >= 0 && list[i].DHCP == nil {
			list[i].DHCP = now[j].DHCP
		}
	}
	return list
}

// formatKept writes the parts there are, and nothing for those that are not.
func formatKept(kept *Network, mode string) string {
	w := &writer{}
	w.open("network", w.root(kept)...)
	w.text("title", kept.Title)
	w.text("description", kept.Description)
	w.forward(kept.Forward)
	if kept.Bridge != nil {
		w.bridge(kept.Bridge, mode)
	}
	w.mtu(kept.MTU)
	w.mac(kept)
	w.domain(kept.Domain)
	w.dns(kept.DNS)
	w.vlan(kept.VLAN)
	w.bandwidth(kept.Bandwidth)
	w.isolated(kept.Isolated)
	for _, ip := range kept.IPs {
		w.ip(ip)
	}
	for _, r := range kept.Routes {
		w.route(r)
	}
	w.virtualPort(kept.VirtualPort)
	for _, g := range kept.PortGroups {
		w.portGroup(g)
	}
	w.dnsmasq(kept.DnsmasqLines)
	w.close("network")
	return w.b.String()
}

// readKept reads what was kept. People may have edited it: what cannot be read is as
// if it was not there.
func readKept(text string) *Network {
	kept := &Network{}
	root, _, err := readElement(text, networkLabel)
	if err != nil {
		return kept
	}
	d := &decoder{network: "kept"}
	for _, part := range []func(*xmltree.Node, *Network) error{
		d.words, d.settings, d.domain, d.traffic, d.link, d.services, d.virtualPort, d.portGroups, d.addresses, d.outside, d.rest,
	} {
		_ = part(root, kept) // of a part that cannot be read there is what could be
	}
	return kept
}

// words reads what people say of the network.
func (d *decoder) words(root *xmltree.Node, n *Network) error {
	n.Title, n.Description = root.Element("title").Content(), root.Element("description").Content()
	return nil
}
