package netfiles

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// refuse finds what cannot be joined.
func (j *netplanJoining) refuse() error {
	what := fmt.Sprintf("make %s a port of %s: ", j.c.NIC, j.c.Bridge)
	where := strings.Join(j.bridge.places(), ", ")
	no := func(format string, a ...any) error { return &Refusal{what + fmt.Sprintf(format, a...)} }
	if j.bridge.kind != "bridges" {
		return no("%s defines %s among %s: choose another bridge with --name", where, j.c.Bridge, j.bridge.kind)
	}
	if by, ok := claimed(j.files, j.nic.id); ok && j.nic.kind != "" {
		return no("it is a port of %s in %s: take it out there", by.id, strings.Join(by.places(), ", "))
	}
	if by, ok := claimed(j.files, j.bridge.id); ok {
		return no("%s is a port of %s in %s: choose another bridge with --name", j.bridge.id, by.id, strings.Join(by.places(), ", "))
	}
	if mode := j.bridge.text("activation-mode"); mode != "" && mode != j.nic.text("activation-mode") {
		return no("%s says activation-mode: %s of %s, with which it would not have after a boot what %s has now: take the line out", where, mode, j.c.Bridge, j.c.NIC)
	}
	if j.nic.kind == "" {
		return j.refuseParts(j.bridge)
	}
	nics := strings.Join(j.nic.places(), ", ")
	n, b := j.nic.renderer(j.files), j.bridge.renderer(j.files)
	switch {
	case j.nic.kind == "wifis" || j.nic.kind == "modems" || j.nic.kind == "bridges":
		return no("%s defines it among %s, which cannot be ports of a bridge", nics, j.nic.kind)
	case n != b:
		return no("%s has %s in %s, and %s %s in %s: give both the same renderer", n, j.nic.id, nics, b, j.bridge.id, where)
	case j.nic.get("openvswitch") != nil || j.bridge.get("openvswitch") != nil:
		return no("%s, %s: one of both is Open vSwitch's", nics, where)
	case !j.nic.alone() && n != "networkd":
		return no("its definition %s in %s is for several interfaces: write one for %s alone, with the same content", j.nic.id, nics, j.c.NIC)
	}
	return j.refuseParts(j.nic, j.bridge)
}

// refuseParts finds parts that cannot be edited.
func (j *netplanJoining) refuseParts(defs ...netplanDef) error {
	for _, d := range defs {
		for _, p := range d.parts {
			if strings.HasPrefix(p.file.path, "/run/") {
				return &Refusal{fmt.Sprintf("make %s a port of %s: %s is made anew at each boot: copy it to /etc/netplan under another name, and remove it", j.c.NIC, j.c.Bridge, p.file.path)}
			}
		}
		if place, ok := d.fixed(); ok {
			return &Refusal{fmt.Sprintf("make %s a port of %s: %s: an anchor or alias cannot be moved: write the value out", j.c.NIC, j.c.Bridge, place)}
		}
	}
	return nil
}

// declined refuses a bridge that takes less from a DHCP server than the NIC does: there
// is one client for both.
func (m netplanMerge) declined() error {
	for _, family := range []string{"dhcp4", "dhcp6"} {
		key := family + "-overrides"
		for _, k := range keysOf(m.was.get(key)) {
			said := m.was.get(key, k)
			if isYes(m.nic.text(family)) && strings.HasPrefix(k, "use-") && isNo(said.Value) && m.nic.get(key, k) == nil {
				return m.contradiction(m.nic.get(family), said, key+"."+k)
			}
		}
	}
	return nil
}

// contradiction names both places.
func (m netplanMerge) contradiction(nic, bridge *yaml.Node, key string) error {
	return &Refusal{fmt.Sprintf("make %s a port of %s: %s says %s: %s, of which %s says another thing, and the bridge cannot have both: make them say the same",
		m.c.NIC, m.c.Bridge, m.place(m.was, bridge), key, flat(bridge), m.place(m.nic, nic))}
}

// place is where a node is, as path:line.
func (m netplanMerge) place(d netplanDef, n *yaml.Node) string {
	for _, p := range d.parts {
		if within := slices.Contains(nodes(p.node), n); within && n.Line > 0 {
			return fmt.Sprintf("%s:%d", p.file.path, n.Line)
		}
	}
	return "what " + m.c.NIC + " has now"
}

// nodes are a node and all below.
func nodes(n *yaml.Node) []*yaml.Node {
	all := []*yaml.Node{n}
	for _, c := range n.Content {
		all = append(all, nodes(c)...)
	}
	return all
}
