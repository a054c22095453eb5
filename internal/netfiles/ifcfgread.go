package netfiles

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// ifcfgUndefine removes the files of an interface, and has its ports be none.
func ifcfgUndefine(e *edit, name string) error {
	for _, f := range ifcfgs(e.tree) {
		switch {
		case f.device() == name:
			e.remove(f.path)
			suffix := strings.TrimPrefix(path.Base(f.path), "ifcfg-")
			for _, kind := range []string{"route-", "route6-", "rule-", "rule6-"} {
				if p := ifcfgDir + "/" + kind + suffix; e.tree.Files[p] != nil {
					e.remove(p)
				}
			}
		case f.master() == name && ours(e.tree.text(f.path)):
			e.remove(f.path)
		case f.master() == name:
			kept := slices.DeleteFunc(slices.Clone(f.shellFile), func(a assignment) bool {
				return slices.Contains([]string{"BRIDGE", "MASTER", "SLAVE"}, a.key)
			})
			e.set(f.path, kept.String(), 0o644)
		}
	}
	return nil
}

func (f ifcfg) master() string {
	if b := f.get("BRIDGE"); b != "" {
		return b
	}
	return f.get("MASTER")
}

// ifcfgDefined reads the file of an interface.
func ifcfgDefined(t Tree, name string) *spec.HostInterface {
	f, ok := ifcfgOf(t, name, t.link(name))
	if !ok || f.master() != "" {
		return nil
	}
	i := ifcfgReadLink(f, name)
	if f.has("ONBOOT") && !isYes(f.get("ONBOOT")) {
		i.Start = spec.StartNone
	} else if isYes(f.get("HOTPLUG")) {
		i.Start = spec.StartHotplug
	}
	switch i.Type {
	case spec.BridgeInterface:
		i.Bridge = &spec.BridgeDetails{STP: isYes(f.get("STP")), Ports: ifcfgPorts(t, name)}
		i.Bridge.Delay, _ = spec.ParseSeconds(f.get("DELAY"))
	case spec.BondInterface:
		i.Bond.Ports = ifcfgPorts(t, name)
	}
	ifcfgReadIP(t, f, &i)
	return &i
}

func ifcfgReadLink(f ifcfg, name string) spec.HostInterface {
	i := spec.HostInterface{Name: name, Type: spec.EthernetInterface}
	if mac, err := spec.ParseMAC(f.get("MACADDR")); err == nil {
		i.MAC = mac
	}
	i.MTU, _ = strconv.Atoi(f.get("MTU"))
	switch kind := strings.ToLower(f.get("TYPE")); {
	case kind == "bridge":
		i.Type = spec.BridgeInterface
	case kind == "bond" || f.has("BONDING_OPTS"):
		options := strings.Fields(f.get("BONDING_OPTS"))
		i.Type, i.Bond = spec.BondInterface, readBond(func(key string) string {
			for _, o := range options {
				if value, ok := strings.CutPrefix(o, key+"="); ok {
					return value
				}
			}
			return ""
		})
	case kind == "vlan" || isYes(f.get("VLAN")):
		i.Type, i.VLAN = spec.VLANInterface, &spec.VLANDetails{On: f.get("PHYSDEV")}
		on, tag, dotted := strings.Cut(name, ".")
		if i.VLAN.On == "" && dotted {
			i.VLAN.On = on
		}
		if id := f.get("VLAN_ID"); id != "" || !dotted {
			tag = id
		}
		i.VLAN.Tag, _ = strconv.Atoi(tag)
	}
	return i
}

func ifcfgPorts(t Tree, master string) []spec.HostInterface {
	var list []spec.HostInterface
	for _, f := range ifcfgs(t) {
		if f.master() == master {
			list = append(list, ifcfgReadLink(f, f.device()))
		}
	}
	return list
}

func ifcfgReadIP(t Tree, f ifcfg, i *spec.HostInterface) {
	v4, v6 := &spec.InterfaceIP{}, &spec.InterfaceIP{}
	of := func(a netip.Addr) *spec.InterfaceIP {
		if a.Is4() {
			return v4
		}
		return v6
	}
	v4.DHCP = strings.EqualFold(f.get("BOOTPROTO"), "dhcp")
	for n := -1; n < 256; n++ {
		suffix := map[bool]string{true: "", false: fmt.Sprint(n)}[n < 0]
		if a := f.get("IPADDR" + suffix); a != "" {
			addAddress(of, a+"/"+ifcfgBits(f, suffix))
		}
	}
	addRoute(of, "", f.get("GATEWAY"), 0, false, "")
	v6.DHCP = isYes(f.get("DHCPV6C"))
	v6.Autoconf = isYes(f.get("IPV6INIT")) && (isYes(f.get("IPV6_AUTOCONF")) || !f.has("IPV6_AUTOCONF"))
	for _, a := range append([]string{f.get("IPV6ADDR")}, strings.Fields(f.get("IPV6ADDR_SECONDARIES"))...) {
		addAddress(of, a)
	}
	gateway, _, _ := strings.Cut(f.get("IPV6_DEFAULTGW"), "%")
	addRoute(of, "", gateway, 0, false, "")
	for n := 1; n <= 8; n++ {
		addDNS(of, f.get(fmt.Sprintf("DNS%d", n)))
	}
	readSearch(strings.Fields(f.get("DOMAIN")), v4, v6)
	if f.has("PEERDNS") {
		value := isYes(f.get("PEERDNS"))
		if v4.DHCP {
			v4.PeerDNS = &value
		} else {
			v6.PeerDNS = &value
		}
	}
	ifcfgReadRoutes(t, f, of)
	settle(i, v4, v6)
}

// ifcfgBits is the length of an address, which is written in one of two ways.
func ifcfgBits(f ifcfg, suffix string) string {
	if p := f.get("PREFIX" + suffix); p != "" {
		return p
	}
	if bits, ok := maskBits(f.get("NETMASK" + suffix)); ok {
		return fmt.Sprint(bits)
	}
	return "32"
}

// ifcfgReadRoutes reads routes in either form that the files may have.
func ifcfgReadRoutes(t Tree, f ifcfg, of func(netip.Addr) *spec.InterfaceIP) {
	suffix := strings.TrimPrefix(path.Base(f.path), "ifcfg-")
	for _, kind := range []string{"route-", "route6-"} {
		text := t.text(ifcfgDir + "/" + kind + suffix)
		vars := parseShell(text)
		for n := 0; n < 256 && vars.has(fmt.Sprintf("ADDRESS%d", n)); n++ {
			to := vars.get(fmt.Sprintf("ADDRESS%d", n))
			if bits, ok := maskBits(vars.get(fmt.Sprintf("NETMASK%d", n))); ok {
				to += fmt.Sprintf("/%d", bits)
			}
			addRoute(of, to, vars.get(fmt.Sprintf("GATEWAY%d", n)), 0, false, "")
		}
		r := &ifupdownReader{}
		for l := range strings.Lines(text) {
			if words := strings.Fields(l); len(words) > 2 && !comment(l, "#") {
				if words[0] == "default" {
					words[0] = map[bool]string{true: "0.0.0.0/0", false: "::/0"}[kind == "route-"]
				}
				r.route(of, append([]string{"ip", "route", "add"}, words...))
			}
		}
	}
}

func ifcfgNames(t Tree) []string {
	var names []string
	for _, f := range ifcfgs(t) {
		if d := f.device(); d != "lo" && !strings.Contains(d, ":") {
			names = append(names, d)
		}
	}
	return names
}
