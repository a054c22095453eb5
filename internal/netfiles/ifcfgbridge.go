package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"
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
	e.copy(ifcfgDir+"/ifcfg-"+c.Bridge, head+ifcfgOfBridge(t, f, c), f.path)
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
	e.copy(to, text, from)
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
