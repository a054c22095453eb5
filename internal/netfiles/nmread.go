package netfiles

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// nmDefined reads the profile of an interface.
func nmDefined(t Tree, name string) *spec.HostInterface {
	own, ids := nmNamed(t, name)
	if fit, _ := nmProfileOf(t, name, t.link(name)); len(fit) > 0 && len(own) == 0 && t.Links[name].Index > 0 && t.Links[name].Type != "loopback" {
		own = fit[:1]
	}
	slices.SortStableFunc(own, func(a, b profile) int { return b.priority() - a.priority() })
	own = slices.DeleteFunc(own, func(p profile) bool { return !p.automatic() && len(own) > 1 })
	if len(own) == 0 || own[0].master() != "" {
		return nil
	}
	p := own[0]
	i := &spec.HostInterface{Name: name}
	nmReadLink(p, i)
	nmReadDetails(t, p, ids, i)
	v4, v6 := &spec.InterfaceIP{}, &spec.InterfaceIP{}
	nmReadIP(p, "ipv4", v4)
	nmReadIP(p, "ipv6", v6)
	settle(i, v4, v6)
	return i
}

func nmReadLink(p profile, i *spec.HostInterface) {
	i.Type = spec.InterfaceType(p.kind())
	if !p.automatic() {
		i.Start = spec.StartNone
	}
	i.MTU, _ = strconv.Atoi(p.wired("mtu"))
	for _, text := range []string{p.wired("cloned-mac-address"), p.get("bridge", "mac-address")} {
		if mac, err := spec.ParseMAC(text); err == nil {
			i.MAC = mac
		}
	}
}

func nmReadDetails(t Tree, p profile, ids []string, i *spec.HostInterface) {
	switch i.Type {
	case spec.BridgeInterface:
		i.Bridge = &spec.BridgeDetails{STP: !isNo(p.get("bridge", "stp")), Ports: nmPorts(t, ids)}
		i.Bridge.Delay, _ = spec.ParseSeconds(p.get("bridge", "forward-delay"))
	case spec.BondInterface:
		i.Bond = readBond(func(key string) string { return p.get("bond", key) })
		i.Bond.Ports = nmPorts(t, ids)
	case spec.VLANInterface:
		i.VLAN = &spec.VLANDetails{On: p.get("vlan", "parent")}
		i.VLAN.Tag, _ = strconv.Atoi(p.get("vlan", "id"))
	}
}

func nmPorts(t Tree, ids []string) []spec.HostInterface {
	var list []spec.HostInterface
	for _, p := range nmProfiles(t) {
		if name := p.get("connection", "interface-name"); name != "" && slices.Contains(ids, p.master()) {
			port := spec.HostInterface{Name: name}
			nmReadLink(p, &port)
			nmReadDetails(t, p, nil, &port)
			port.Start = ""
			list = append(list, port)
		}
	}
	return list
}

func nmReadIP(p profile, section string, f *spec.InterfaceIP) {
	to := func(netip.Addr) *spec.InterfaceIP { return f }
	switch p.get(section, "method") {
	case "auto":
		f.DHCP, f.Autoconf = true, section == "ipv6"
	case "dhcp":
		f.DHCP = true
	}
	for _, e := range p.sections {
		number, isRoute := strings.CutPrefix(e.key, "route")
		switch {
		case e.section != section:
		case strings.HasPrefix(e.key, "address") && !strings.HasPrefix(e.key, "address-"):
			for _, one := range strings.FieldsFunc(e.value, func(r rune) bool { return r == ';' }) {
				a, gateway, _ := strings.Cut(one, ",")
				addAddress(to, a)
				addRoute(to, "", gateway, 0, false, "")
			}
		case isRoute && number != "" && strings.Trim(number, "0123456789") == "":
			nmReadRoute(to, e.value, p.get(section, e.key+"_options"))
		case e.key == "gateway":
			addRoute(to, "", e.value, 0, false, "")
		case e.key == "dns":
			for _, a := range p.words(section, "dns") {
				addDNS(to, a)
			}
		case e.key == "dns-search":
			f.Search = append(f.Search, p.words(section, "dns-search")...)
		case e.key == "ignore-auto-dns":
			value := !isYes(e.value)
			f.PeerDNS = &value
		}
	}
}

func nmReadRoute(to func(netip.Addr) *spec.InterfaceIP, value, options string) {
	words := append(strings.Split(value, ","), "", "")
	metric, _ := strconv.Atoi(words[2])
	via := words[1]
	if a := address(via); a.IsValid() && a.IsUnspecified() {
		via = ""
	}
	source, onLink := "", false
	for _, o := range strings.Split(options, ",") {
		key, v, _ := strings.Cut(o, "=")
		onLink = onLink || key == "onlink" && isYes(v)
		if key == "src" {
			source = v
		}
	}
	addRoute(to, words[0], via, metric, onLink, source)
}

func nmNames(t Tree) []string {
	var names []string
	for _, p := range nmProfiles(t) {
		if name := p.get("connection", "interface-name"); name != "" {
			names = append(names, name)
		}
	}
	for name := range t.Links {
		names = append(names, name)
	}
	return names
}
