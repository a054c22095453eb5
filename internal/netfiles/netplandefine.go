package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
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

// netplanUndefine takes a definition out of all files. One with nothing left is removed
// when it is kvmnet's.
func netplanUndefine(e *edit, name string) error {
	files, err := loadNetplan(e.tree)
	if err != nil {
		return err
	}
	d, ok := netplanOf(files, name, e.tree.link(name))
	if !ok {
		return nil
	}
	if !d.alone() {
		return &Refusal{fmt.Sprintf("undefine %s: its definition %s in %s is for several interfaces: edit that one", name, d.id, strings.Join(d.places(), ", "))}
	}
	for _, p := range d.parts {
		if strings.HasPrefix(p.file.path, "/run/") {
			return &Refusal{fmt.Sprintf("undefine %s: %s is made anew at each boot: remove what makes it", name, p.file.path)}
		}
		if ours(e.tree.text(p.file.path)) && strings.HasSuffix(p.file.path, "-kvmnet-"+name+".yaml") {
			e.remove(p.file.path)
			continue
		}
		network := p.file.network()
		if cut(child(network, d.kind), d.id); len(keysOf(child(network, d.kind))) == 0 {
			cut(network, d.kind)
		}
		text, err := formatYAML(p.file.doc, e.tree.text(p.file.path))
		if err != nil {
			return err
		}
		e.set(editable(p.file.path), text, 0o600)
	}
	return nil
}

// netplanDefined reads a definition.
func netplanDefined(t Tree, name string) (*spec.HostInterface, error) {
	files, err := loadNetplan(t)
	if err != nil {
		return nil, err
	}
	d, ok := netplanOf(files, name, t.link(name))
	if !ok {
		return nil, nil
	}
	if _, port := claimed(files, d.id); port {
		return nil, nil // told with its bridge
	}
	return readNetplan(files, d, name), nil
}

func readNetplan(files []netplanFile, d netplanDef, name string) *spec.HostInterface {
	i := &spec.HostInterface{Name: name, Type: spec.InterfaceType(strings.TrimSuffix(d.kind, "s"))}
	if mac, err := spec.ParseMAC(d.text("macaddress")); err == nil {
		i.MAC = mac
	}
	i.MTU, _ = strconv.Atoi(d.text("mtu"))
	if mode := d.text("activation-mode"); mode == "manual" || mode == "off" {
		i.Start = spec.StartNone
	}
	switch i.Type {
	case spec.BridgeInterface:
		i.Bridge = &spec.BridgeDetails{STP: d.get("parameters", "stp") == nil || isYes(d.text("parameters", "stp")), Ports: netplanPorts(files, d)}
		i.Bridge.Delay, _ = spec.ParseSeconds(d.text("parameters", "forward-delay"))
	case spec.BondInterface:
		i.Bond = readNetplanBond(d)
		i.Bond.Ports = netplanPorts(files, d)
	case spec.VLANInterface:
		i.VLAN = &spec.VLANDetails{On: d.text("link")}
		i.VLAN.Tag, _ = strconv.Atoi(d.text("id"))
	}
	readNetplanIP(d, i)
	return i
}

func readNetplanBond(d netplanDef) *spec.BondDetails {
	number := func(key string) int { n, _ := strconv.Atoi(d.text("parameters", key)); return n }
	b := &spec.BondDetails{Mode: d.text("parameters", "mode")}
	if every := number("mii-monitor-interval"); every > 0 {
		b.MII = &spec.BondMII{Every: every, UpDelay: number("up-delay"), DownDelay: number("down-delay")}
	}
	if every := number("arp-interval"); every > 0 {
		b.ARP = &spec.BondARP{Every: every, Validate: d.text("parameters", "arp-validate")}
		if targets := d.strings("parameters", "arp-ip-targets"); len(targets) > 0 {
			b.ARP.Target = address(targets[0])
		}
	}
	return b
}

// netplanPorts are the interfaces of a bridge or a bond. An id is the name unless a
// match says otherwise.
func netplanPorts(files []netplanFile, of netplanDef) []spec.HostInterface {
	var list []spec.HostInterface
	for _, id := range of.strings("interfaces") {
		port := spec.HostInterface{Name: id, Type: spec.EthernetInterface}
		for _, d := range netplanDefs(files, "ethernets", "bonds", "vlans") {
			if d.id == id && (d.kind != of.kind) {
				name := id
				if set := d.text("set-name"); set != "" {
					name = set
				} else if exact := d.strings("match", "name"); len(exact) == 1 && d.alone() {
					name = exact[0]
				}
				port = *readNetplan(files, d, name)
				port.IPv4, port.IPv6, port.Start = nil, nil, ""
			}
		}
		list = append(list, port)
	}
	return list
}

func readNetplanIP(d netplanDef, i *spec.HostInterface) {
	v4, v6 := &spec.InterfaceIP{}, &spec.InterfaceIP{}
	of := func(a netip.Addr) *spec.InterfaceIP {
		if a.Is4() {
			return v4
		}
		return v6
	}
	v4.DHCP, v6.DHCP = isYes(d.text("dhcp4")), isYes(d.text("dhcp6"))
	v6.Autoconf = isYes(d.text("accept-ra"))
	for _, n := range d.items("addresses") {
		if keys := keysOf(n); len(keys) == 1 { // an address with its label or lifetime
			addAddress(of, keys[0])
		} else {
			addAddress(of, n.Value)
		}
	}
	for _, key := range []string{"gateway4", "gateway6"} {
		addRoute(of, "", d.text(key), 0, false, "")
	}
	for _, n := range d.items("routes") {
		say := func(key string) string {
			if v := child(n, key); v != nil {
				return v.Value
			}
			return ""
		}
		metric, _ := strconv.Atoi(say("metric"))
		addRoute(of, say("to"), say("via"), metric, isYes(say("on-link")), say("from"))
	}
	for _, text := range d.strings("nameservers", "addresses") {
		addDNS(of, text)
	}
	readSearch(d.strings("nameservers", "search"), v4, v6)
	for key, f := range map[string]*spec.InterfaceIP{"dhcp4-overrides": v4, "dhcp6-overrides": v6} {
		if n := d.get(key, "use-dns"); n != nil {
			value := isYes(n.Value)
			f.PeerDNS = &value
		}
	}
	settle(i, v4, v6)
}

func netplanNames(t Tree) []string {
	files, _ := loadNetplan(t) // what cannot be read is told by each definition
	var names []string
	for _, d := range netplanDefs(files, netplanKinds...) {
		if d.kind != "ethernets" {
			names = append(names, d.id)
			continue
		}
		if set := d.text("set-name"); set != "" {
			names = append(names, set)
		} else if exact := d.strings("match", "name"); len(exact) == 1 && d.alone() {
			names = append(names, exact[0])
		} else if d.get("match") == nil {
			names = append(names, d.id)
		}
		for name, l := range t.Links {
			if d.fits(name, l) {
				names = append(names, name)
			}
		}
	}
	return names
}
