package manage

import (
	"cmp"
	"context"
	"slices"

	"kvmnet/internal/libvirtxml"
)

// NetworkXML implements api.Service. A transient network has no other copy than the
// running one.
func (m *Manager) NetworkXML(ctx context.Context, network string, inactive bool) (string, error) {
	v, err := m.look(ctx)
	if err != nil {
		return "", err
	}
	name := v.networkName(network)
	running, defined := v.running.Networks[name], v.defined.Networks[name]
	switch {
	case running == nil && defined == nil:
		return "", cmp.Or(v.legible("network/"+name), notFound("network", name))
	case running == nil, inactive && defined != nil:
		return libvirtxml.Of(name, defined).Format(), nil
	}
	doc := v.document(name, running)
	if inactive {
		doc = libvirtxml.Of(name, running)
	}
	start(doc)
	if !inactive && running.Mode.Managed() { // the definition may leave it to the host
		l, _ := v.report.Have.Link("", running.Bridge.Name)
		doc.MAC = cmp.Or(doc.MAC, l.MAC)
	}
	return doc.Format(), nil
}

// start fills in what libvirt fills in when a network starts: the source ports of
// guests that it translates.
func start(doc *libvirtxml.Network) {
	f := doc.Forward
	if f == nil || f.Mode != "nat" && f.Mode != "" || !translates(doc) {
		return
	}
	f.NAT = cmp.Or(f.NAT, &libvirtxml.NAT{})
	if f.NAT.PortStart == 0 && f.NAT.PortEnd == 0 {
		f.NAT.PortStart, f.NAT.PortEnd = 1024, 65535
	}
}

// translates reports whether libvirt would translate for a subnet of the network: for
// those of IPv6 only where asked.
func translates(doc *libvirtxml.Network) bool {
	ipv6 := doc.Forward.NAT != nil && doc.Forward.NAT.IPv6 == "yes"
	return slices.ContainsFunc(doc.IPs, func(ip libvirtxml.IP) bool { return ip.Family != "ipv6" || ipv6 })
}
