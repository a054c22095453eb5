package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// ifcfgStays are the keys of a NIC that are not its addresses: of the device, and of its
// profile.
var ifcfgStays = []string{"DEVICE", "NAME", "UUID", "TYPE", "ONBOOT", "HWADDR", "MACADDR", "MTU", "ETHTOOL_OPTS", "ETHTOOL_DELAY", "NM_CONTROLLED", "USERCTL", "HOTPLUG", "SUBCHANNELS",
	"NETTYPE", "OPTIONS", "LINKDELAY", "CONNECTED_MODE", "GENERATE_MAC_ADDRESSES", "NETBOOT", "KEY_MGMT", "AUTOCONNECT_PRIORITY", "SLAVE", "MASTER", "VLAN"}

// ifcfgBoth are keys that the bridge has as well.
var ifcfgBoth = []string{"ONBOOT", "MTU", "NM_CONTROLLED", "USERCTL"}

// ifcfgBridge writes a file of the bridge with the NIC's addresses, leaves the NIC's with
// the device, and renames what belongs to the addresses.
func ifcfgBridge(t Tree, c Conversion) ([]Change, error) {
	f, ok := ifcfgOf(t, c.NIC, known(t, c))
	if !ok {
		return nil, &Refusal{fmt.Sprintf("convert %s: no ifcfg file in %s is for it", c.NIC, ifcfgDir)}
	}
	for _, key := range []string{"BRIDGE", "MASTER", "TEAM_MASTER", "OVS_BRIDGE"} {
		if to := f.get(key); to != "" {
			return nil, &Refusal{fmt.Sprintf("convert %s: %s makes it a port of %s: convert that one", c.NIC, f.path, to)}
		}
	}
	if other, ok := ifcfgOf(t, c.Bridge, Link{}); ok {
		return nil, &Refusal{fmt.Sprintf("make bridge %s: %s is a file of that name: choose another with --name", c.Bridge, other.path)}
	}
	e := newEdit(t)
	head := header(unconvert(c.Bridge)) + "# The addresses are from " + f.path + ".\n"
	e.set(ifcfgDir+"/ifcfg-"+c.Bridge, head+ifcfgOfBridge(t, f, c), networkMode(t, f.path))
	e.set(f.path, ifcfgOfPort(f, c), 0o644)
	ifcfgBeside(e, f, c)
	if text := t.text(ifcfgGlobal); text != "" {
		e.set(ifcfgGlobal, renameWord(text, c.NIC, c.Bridge), 0o644)
	}
	return e.changes(), nil
}

func ifcfgOfBridge(t Tree, f ifcfg, c Conversion) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "DEVICE=%s\nNAME=%[1]s\nUUID=%s\nTYPE=Bridge\nSTP=%s\nDELAY=%d\nMACADDR=%s\n", c.Bridge, uuid5(t, c.Bridge), yes(c.STP), c.Delay, strings.ToUpper(c.MAC.String()))
	for _, a := range f.shellFile {
		if a.key != "" && (!slices.Contains(ifcfgStays, a.key) || slices.Contains(ifcfgBoth, a.key)) {
			b.WriteString(ended(renameWord(a.raw, c.NIC, c.Bridge)))
		}
	}
	if n := c.mtu(); n > 0 && !f.has("MTU") {
		fmt.Fprintf(b, "MTU=%d\n", n)
	}
	return b.String()
}

func ifcfgOfPort(f ifcfg, c Conversion) string {
	b := &strings.Builder{}
	b.WriteString(header(unconvert(c.Bridge)))
	for _, a := range f.shellFile {
		if a.key == "" || slices.Contains(ifcfgStays, a.key) {
			b.WriteString(ended(a.raw))
		}
	}
	if !f.has("DEVICE") {
		fmt.Fprintf(b, "DEVICE=%s\n", c.NIC)
	}
	if n := c.mtu(); n > 0 && !f.has("MTU") {
		fmt.Fprintf(b, "MTU=%d\n", n)
	}
	fmt.Fprintf(b, "BOOTPROTO=none\nBRIDGE=%s\n", c.Bridge)
	return b.String()
}

// ifcfgBeside renames the files of routes, rules and keys, and those of labels
// (ifcfg-eth0:1), with what they say of the NIC.
func ifcfgBeside(e *edit, f ifcfg, c Conversion) {
	suffix := strings.TrimPrefix(path.Base(f.path), "ifcfg-")
	for _, p := range e.tree.in(ifcfgDir) {
		kind, of, ok := strings.Cut(path.Base(p), "-")
		label, isLabel := strings.CutPrefix(of, suffix+":")
		switch {
		case ok && of == suffix && slices.Contains([]string{"route", "route6", "rule", "rule6"}, kind):
			e.move(p, ifcfgDir+"/"+kind+"-"+c.Bridge, renameWord(e.tree.text(p), c.NIC, c.Bridge))
		case kind == "ifcfg" && isLabel:
			e.move(p, ifcfgDir+"/ifcfg-"+c.Bridge+":"+label, renameWord(e.tree.text(p), c.NIC+":"+label, c.Bridge+":"+label))
		}
	}
}

// ifcfgGlobal is the file of what holds for all interfaces: which one has the default
// route, for instance.
const ifcfgGlobal = "/etc/sysconfig/network"

// move writes a file under another name.
func (e *edit) move(from, to, text string) {
	e.set(to, text, networkMode(e.tree, from))
	e.remove(from)
}

// renameWord replaces a name where it stands alone.
func renameWord(text, from, to string) string {
	var b strings.Builder
	edge := func(s string, at int) bool {
		return at < 0 || at >= len(s) || strings.IndexByte(" \t\n\"'=%", s[at]) >= 0
	}
	for at := 0; at < len(text); {
		if strings.HasPrefix(text[at:], from) && edge(text, at-1) && edge(text, at+len(from)) {
			b.WriteString(to)
			at += len(from)
			continue
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String()
}

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
