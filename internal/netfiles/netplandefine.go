package netfiles

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// netplanDefine writes a file of its own, which netplan joins with the others.
func netplanDefine(e *edit, i spec.HostInterface) error {
	if i.Start == spec.StartHotplug {
		return cannot(Netplan, i, "start: hotplug", "it configures devices whenever they appear: leave start out")
	}
	network := mapping("version", number(2))
	put(network, netplanKind(i.Type), mapping(i.Name, netplanDevice(i)))
	for _, port := range i.Ports() {
		if port.Type == spec.BondInterface || port.Type == spec.VLANInterface {
			put(ensure(network, netplanKind(port.Type), ""), port.Name, netplanDevice(port))
		} else {
			put(ensure(network, "ethernets", ""), port.Name, netplanDevice(port))
		}
		for _, below := range port.Ports() {
			put(ensure(network, "ethernets", ""), below.Name, netplanDevice(below))
		}
	}
	if err := netplanBelow(e, network, append([]spec.HostInterface{i}, i.Ports()...)); err != nil {
		return err
	}
	text, err := formatYAML(mapping("network", network), "a:\n  b:")
	if err != nil {
		return err
	}
	e.set(netplanOwn(i), header(undefine(i.Name))+text, 0o600)
	return nil
}

// netplanOwn is the file of a definition. Netplan wants to have read of an interface
// before it reads of a VLAN on it.
func netplanOwn(i spec.HostInterface) string {
	if i.VLAN != nil {
		return "/etc/netplan/95-kvmnet-" + i.Name + ".yaml"
	}
	return "/etc/netplan/90-kvmnet-" + i.Name + ".yaml"
}

// netplanBelow defines what VLANs are on, where nothing defines it yet.
func netplanBelow(e *edit, network *yaml.Node, list []spec.HostInterface) error {
	files, err := loadNetplan(e.result())
	if err != nil {
		return err
	}
	for _, i := range list {
		if i.VLAN == nil {
			continue
		}
		if _, ok := netplanOf(files, i.VLAN.On, e.tree.link(i.VLAN.On)); !ok {
			ensure(ensure(network, "ethernets", ""), i.VLAN.On, "")
		}
	}
	return nil
}

// mapping makes one of keys and nodes in turn.
func mapping(pairs ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for k := 0; k < len(pairs); k += 2 {
		put(m, pairs[k].(string), pairs[k+1].(*yaml.Node))
	}
	return m
}

func netplanKind(k spec.InterfaceType) string {
	if k == "" {
		k = spec.EthernetInterface
	}
	return string(k) + "s"
}

func netplanDevice(i spec.HostInterface) *yaml.Node {
	m := mapping()
	switch {
	case i.Bridge != nil:
		put(m, "interfaces", words(portNames(i)))
		put(m, "parameters", mapping("stp", truth(i.Bridge.STP), "forward-delay", number(int(i.Bridge.Delay))))
	case i.Bond != nil:
		put(m, "interfaces", words(portNames(i)))
		put(m, "parameters", netplanBond(i.Bond))
	case i.VLAN != nil:
		put(m, "id", number(i.VLAN.Tag))
		put(m, "link", word(i.VLAN.On))
	}
	if !i.MAC.IsZero() {
		put(m, "macaddress", quoted(i.MAC.String()))
	}
	if i.MTU > 0 {
		put(m, "mtu", number(i.MTU))
	}
	if i.Start == spec.StartNone {
		put(m, "activation-mode", word("manual"))
	}
	netplanIP(m, i)
	return m
}

func words(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, w := range list {
		n.Content = append(n.Content, word(w))
	}
	return n
}

func netplanBond(d *spec.BondDetails) *yaml.Node {
	m := mapping("mode", word("balance-rr"))
	if d.Mode != "" {
		put(m, "mode", word(d.Mode))
	}
	if d.MII != nil {
		put(m, "mii-monitor-interval", number(d.MII.Every))
		put(m, "up-delay", number(d.MII.UpDelay))
		put(m, "down-delay", number(d.MII.DownDelay))
	}
	if d.ARP != nil {
		put(m, "arp-interval", number(d.ARP.Every))
		put(m, "arp-ip-targets", words([]string{d.ARP.Target.String()}))
		if d.ARP.Validate != "" {
			put(m, "arp-validate", word(d.ARP.Validate))
		}
	}
	return m
}

func netplanIP(m *yaml.Node, i spec.HostInterface) {
	v4, v6 := ip(i.IPv4), ip(i.IPv6)
	if i.IPv4 != nil {
		put(m, "dhcp4", truth(v4.DHCP))
	}
	if i.IPv6 != nil {
		put(m, "dhcp6", truth(v6.DHCP))
		put(m, "accept-ra", truth(v6.Autoconf || v6.DHCP))
	}
	if v4.PeerDNS != nil {
		put(m, "dhcp4-overrides", mapping("use-dns", truth(*v4.PeerDNS)))
	}
	if v6.PeerDNS != nil {
		put(m, "dhcp6-overrides", mapping("use-dns", truth(*v6.PeerDNS)))
	}
	addresses, routes, dns := list(0), list(0), list(yaml.FlowStyle)
	for _, f := range []spec.InterfaceIP{v4, v6} {
		for _, a := range f.Addresses {
			addresses.Content = append(addresses.Content, quotedIf6(a.String()))
		}
		for _, r := range f.Routes {
			routes.Content = append(routes.Content, netplanRoute(r))
		}
		for _, a := range f.DNS {
			dns.Content = append(dns.Content, quotedIf6(a.String()))
		}
	}
	servers := mapping()
	for _, of := range []struct {
		key string
		in  *yaml.Node
		n   *yaml.Node
	}{{"addresses", m, addresses}, {"routes", m, routes}, {"addresses", servers, dns}, {"search", servers, words(append(slices.Clone(v4.Search), v6.Search...))}, {"nameservers", m, servers}} {
		if len(of.n.Content) > 0 {
			put(of.in, of.key, of.n)
		}
	}
}

func quotedIf6(s string) *yaml.Node {
	if strings.Contains(s, ":") {
		return quoted(s)
	}
	return word(s)
}

func netplanRoute(r spec.InterfaceRoute) *yaml.Node {
	m := mapping("to", quotedIf6(r.To.String()))
	if r.Via.IsValid() {
		put(m, "via", quotedIf6(r.Via.String()))
	} else {
		put(m, "scope", word("link"))
	}
	if r.OnLink {
		put(m, "on-link", truth(true))
	}
	if r.Metric > 0 {
		put(m, "metric", number(r.Metric))
	}
	if r.Source.IsValid() {
		put(m, "from", quotedIf6(r.Source.String()))
	}
	return m
}
