package netfiles

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// ifcfgDefine writes the file of an interface, those of its routes, and those of its ports.
func ifcfgDefine(e *edit, i spec.HostInterface) error {
	if i.Start == spec.StartHotplug && i.Ports() != nil {
		return cannot(Ifcfg, i, "start: hotplug", "only hardware appears: leave start out")
	}
	text, err := ifcfgText(e.tree, i)
	if err != nil {
		return err
	}
	e.set(ifcfgDir+"/ifcfg-"+i.Name, header(undefine(i.Name))+text, 0o644)
	for kind, f := range map[string]*spec.InterfaceIP{"route": i.IPv4, "route6": i.IPv6} {
		var b strings.Builder
		for _, r := range ip(f).Routes {
			b.WriteString(ifcfgRoute(r, i.Name))
		}
		if b.Len() > 0 {
			e.set(ifcfgDir+"/"+kind+"-"+i.Name, header(undefine(i.Name))+b.String(), 0o644)
		}
	}
	for _, port := range i.Ports() {
		text, err := ifcfgText(e.tree, port)
		if err != nil {
			return err
		}
		if i.Type == spec.BondInterface {
			text += "MASTER=" + i.Name + "\nSLAVE=yes\n"
		} else {
			text += "BRIDGE=" + i.Name + "\n"
		}
		e.set(ifcfgDir+"/ifcfg-"+port.Name, header(undefine(i.Name))+text, 0o644)
	}
	return nil
}

// ifcfgRoute is a route in the words of ip(8), which route files may have.
func ifcfgRoute(r spec.InterfaceRoute, name string) string {
	return strings.Replace(strings.TrimPrefix(strings.TrimPrefix(ifupdownRoute(r, false), "up ip route replace "), "up ip -6 route replace "), "$IFACE", name, 1) + "\n"
}

func ifcfgText(t Tree, i spec.HostInterface) (string, error) {
	var b strings.Builder
	say := func(key, value string) { b.WriteString(key + "=" + shellWord(value) + "\n") }
	say("DEVICE", i.Name)
	say("NAME", i.Name)
	say("UUID", uuid5(t, i.Name))
	say("ONBOOT", yes(i.Start != spec.StartNone))
	if i.Start == spec.StartHotplug {
		say("HOTPLUG", "yes")
	}
	ifcfgDetails(say, i)
	if !i.MAC.IsZero() {
		say("MACADDR", strings.ToUpper(i.MAC.String()))
	}
	if i.MTU > 0 {
		say("MTU", fmt.Sprint(i.MTU))
	}
	v4, v6 := ip(i.IPv4), ip(i.IPv6)
	say("BOOTPROTO", map[bool]string{true: "dhcp", false: "none"}[v4.DHCP])
	for n, a := range v4.Addresses {
		suffix := map[bool]string{true: "", false: fmt.Sprint(n)}[n == 0]
		say("IPADDR"+suffix, a.Addr().String())
		say("PREFIX"+suffix, fmt.Sprint(a.Bits()))
	}
	ifcfg6(say, i.IPv6)
	for n, a := range append(slices.Clone(v4.DNS), v6.DNS...) {
		say(fmt.Sprintf("DNS%d", n+1), a.String())
	}
	if search := append(slices.Clone(v4.Search), v6.Search...); len(search) > 0 {
		say("DOMAIN", strings.Join(search, " "))
	}
	return b.String(), ifcfgPeerDNS(say, i)
}

// ifcfgPeerDNS: the scripts have one word for both families.
func ifcfgPeerDNS(say func(string, string), i spec.HostInterface) error {
	v4, v6 := ip(i.IPv4).PeerDNS, ip(i.IPv6).PeerDNS
	switch {
	case v4 != nil && v6 != nil && *v4 != *v6:
		return cannot(Ifcfg, i, "peerDNS", "it is the same for IPv4 and IPv6: write it the same")
	case v4 != nil:
		say("PEERDNS", yes(*v4))
	case v6 != nil:
		say("PEERDNS", yes(*v6))
	}
	return nil
}

func ifcfg6(say func(string, string), f *spec.InterfaceIP) {
	if f == nil {
		return
	}
	say("IPV6INIT", "yes")
	say("IPV6_AUTOCONF", yes(f.Autoconf))
	if f.DHCP {
		say("DHCPV6C", "yes")
	}
	for n, a := range f.Addresses {
		if n == 0 {
			say("IPV6ADDR", a.String())
		}
	}
	if len(f.Addresses) > 1 {
		say("IPV6ADDR_SECONDARIES", join(f.Addresses[1:], " "))
	}
}

func ifcfgDetails(say func(string, string), i spec.HostInterface) {
	switch {
	case i.Bridge != nil:
		say("TYPE", "Bridge")
		say("STP", yes(i.Bridge.STP))
		say("DELAY", fmt.Sprint(int(i.Bridge.Delay)))
	case i.Bond != nil:
		say("TYPE", "Bond")
		say("BONDING_MASTER", "yes")
		var options []string
		for _, o := range bondOptions(i.Bond) {
			options = append(options, o[0]+"="+o[1])
		}
		say("BONDING_OPTS", strings.Join(options, " "))
	case i.VLAN != nil:
		say("TYPE", "Vlan")
		say("VLAN", "yes")
		say("PHYSDEV", i.VLAN.On)
		say("VLAN_ID", fmt.Sprint(i.VLAN.Tag))
	default:
		say("TYPE", "Ethernet")
	}
}
