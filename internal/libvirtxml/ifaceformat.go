package libvirtxml

import (
	"net"
	"net/netip"

	"kvmnet/internal/spec"
)

// InterfaceLink is how the cable of an interface is: what a dump of a running one
// tells, too.
type InterfaceLink struct {
	Speed int    // megabits a second, 0 = not known
	State string // up, down, lowerlayerdown, …; "" = not told
}

// FormatInterface writes an interface as libvirt does: iface-dumpxml prints this. What
// libvirt has no elements for stands in elements of its own, which libvirt ignores:
// routes that are not the default one, which stand behind it, and resolvers. The links
// are by name, nil for a definition.
func FormatInterface(i *spec.HostInterface, links map[string]InterfaceLink) string {
	w := &interfaceWriter{links: links}
	w.device(i, true)
	return w.b.String()
}

type interfaceWriter struct {
	writer
	links map[string]InterfaceLink
}

// device writes an interface; one that is a port has no addresses.
func (w *interfaceWriter) device(i *spec.HostInterface, own bool) {
	t := i.Type
	if t == "" {
		t = spec.EthernetInterface
	}
	w.open("interface", pair{name: "type", value: string(t)}, pair{name: "name", value: i.Name})
	if own && i.Start != "" {
		w.empty("start", pair{name: "mode", value: string(i.Start)})
	}
	if i.MTU > 0 {
		w.empty("mtu", number10("size", i.MTU))
	}
	if own {
		w.protocol("ipv4", i.IPv4)
		w.protocol("ipv6", i.IPv6)
	}
	if l := w.links[i.Name]; t != spec.BridgeInterface && l != (InterfaceLink{}) {
		w.empty("link", pair{name: "speed", value: positive(l.Speed)}, pair{name: "state", value: l.State})
	}
	if !i.MAC.IsZero() {
		w.empty("mac", pair{name: "address", value: net.HardwareAddr(i.MAC[:]).String()})
	}
	w.details(t, i)
	w.close("interface")
}

func (w *interfaceWriter) details(t spec.InterfaceType, i *spec.HostInterface) {
	switch {
	case t == spec.BridgeInterface:
		w.bridgeOf(i.Bridge)
	case i.Bond != nil:
		w.bond(i.Bond)
	case i.VLAN != nil:
		w.open("vlan", number10("tag", i.VLAN.Tag))
		w.empty("interface", pair{name: "name", value: i.VLAN.On})
		w.close("vlan")
	}
}

// bridgeOf writes a bridge, which has the element always.
func (w *interfaceWriter) bridgeOf(b *spec.BridgeDetails) {
	if b == nil {
		b = &spec.BridgeDetails{}
	}
	w.open("bridge", pair{name: "stp", value: map[bool]string{true: "on", false: "off"}[b.STP]}, number10("delay", int(b.Delay)))
	w.portsOf(b.Ports)
	w.close("bridge")
}

func (w *interfaceWriter) portsOf(ports []spec.HostInterface) {
	for k := range ports {
		w.device(&ports[k], false)
	}
}

func (w *interfaceWriter) bond(b *spec.BondDetails) {
	w.open("bond", pair{name: "mode", value: b.Mode})
	if m := b.MII; m != nil {
		w.empty("miimon", number10("freq", m.Every), pair{name: "downdelay", value: positive(m.DownDelay)},
			pair{name: "updelay", value: positive(m.UpDelay)}, pair{name: "carrier", value: m.Carrier})
	} else if a := b.ARP; a != nil {
		w.empty("arpmon", number10("interval", a.Every), pair{name: "target", value: addressText(a.Target)}, pair{name: "validate", value: a.Validate})
	}
	w.portsOf(b.Ports)
	w.close("bond")
}

// protocol writes one family.
func (w *interfaceWriter) protocol(family string, ip *spec.InterfaceIP) {
	if ip == nil {
		return
	}
	w.open("protocol", pair{name: "family", value: family})
	if ip.Autoconf {
		w.empty("autoconf")
	}
	if ip.DHCP {
		w.empty("dhcp", pair{name: "peerdns", value: peerDNS(ip.PeerDNS)})
	}
	for _, a := range ip.Addresses {
		w.empty("ip", pair{name: "address", value: a.Addr().String()}, number10("prefix", a.Bits()))
	}
	w.routes(ip.Routes)
	for _, a := range ip.DNS {
		w.empty("dns", pair{name: "server", value: a.String()})
	}
	for _, domain := range ip.Search {
		w.empty("search", pair{name: "domain", value: domain, keep: true})
	}
	w.close("protocol")
}

func peerDNS(take *bool) string {
	if take == nil {
		return ""
	}
	return map[bool]string{true: "yes", false: "no"}[*take]
}

// routes writes the default routes first: of those libvirt reads the first one.
func (w *interfaceWriter) routes(routes []spec.InterfaceRoute) {
	for _, first := range []bool{true, false} {
		for _, r := range routes {
			if isDefault := r.To.Bits() == 0 && r.Via.IsValid(); isDefault == first {
				w.interfaceRoute(r, isDefault)
			}
		}
	}
}

func (w *interfaceWriter) interfaceRoute(r spec.InterfaceRoute, isDefault bool) {
	var pairs []pair
	if !isDefault {
		pairs = []pair{{name: "address", value: r.To.Addr().String()}, number10("prefix", r.To.Bits())}
	}
	pairs = append(pairs, pair{name: "gateway", value: addressText(r.Via)}, pair{name: "metric", value: positive(r.Metric)}, pair{name: "source", value: addressText(r.Source)})
	if r.OnLink {
		pairs = append(pairs, pair{name: "onlink", value: "yes"})
	}
	w.empty("route", pairs...)
}

// addressText is an address, "" when there is none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
