package netfiles

import (
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

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
