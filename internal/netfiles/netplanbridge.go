package netfiles

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// netplanMoved are the keys of a NIC that are its addresses, and go to the bridge.
var netplanMoved = []string{"addresses", "dhcp4", "dhcp6", "dhcp4-overrides", "dhcp6-overrides", "dhcp-identifier", "gateway4", "gateway6", "routes", "routing-policy",
	"nameservers", "accept-ra", "ipv6-privacy", "ipv6-address-generation", "ipv6-address-token", "ipv6-mtu", "link-local", "optional-addresses", "optional", "critical",
	"ignore-carrier", "activation-mode"}

// netplanShared are those that the bridge has as well.
var netplanShared = []string{"renderer", "mtu", "optional", "activation-mode"}

// netplanBridge edits the files that say something of the NIC: in each of them its
// addresses move to the bridge.
func netplanBridge(t Tree, c Conversion) ([]Change, error) {
	files, err := loadNetplan(t)
	if err != nil {
		return nil, fmt.Errorf("read netplan's files: %w", err)
	}
	d, _ := netplanOf(files, c.NIC, known(t, c))
	if err := netplanRefuse(files, d, c); err != nil {
		return nil, err
	}
	e := newEdit(t)
	netplanIdentity(e, files, d, c)
	if d.renderer(files) == "networkd" {
		e.set(runNetworkd+"10-netplan-"+c.Bridge+".network.d/kvmnet-keep.conf", header(unconvert(c.Bridge))+keep, 0o644)
	}
	port := d.id
	if !d.alone() {
		port = "0-kvmnet-" + c.NIC // its file must sort before the one of the definition for several
	}
	for at, part := range d.parts {
		network := part.file.network()
		bridge := ensure(ensure(network, "bridges", d.kind), c.Bridge, "")
		for _, key := range keysOf(part.node) {
			if slices.Contains(netplanMoved, key) {
				moveKey(part.node, bridge, key, d.alone())
			}
		}
		if at == len(d.parts)-1 {
			netplanFinish(network, bridge, d, port, c)
		}
		text, err := formatYAML(part.file.doc, t.text(part.file.path))
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", part.file.path, err)
		}
		to := editable(part.file.path)
		e.copy(to, text, part.file.path)
	}
	cloudInit(e, c.Bridge, d.places())
	return e.changes(), nil
}

// moveKey moves a key from the NIC's mapping to the bridge's, or copies it.
func moveKey(from, to *yaml.Node, key string, away bool) {
	at := childAt(from, key)
	if at < 0 {
		return
	}
	pair := []*yaml.Node{copyOf(from.Content[at]), copyOf(from.Content[at+1])}
	if away && !slices.Contains(netplanShared, key) {
		pair = cut(from, key)
	}
	to.Content = append(to.Content, pair...)
}

// netplanFinish writes what makes a bridge of it.
func netplanFinish(network, bridge *yaml.Node, d netplanDef, port string, c Conversion) {
	for _, key := range []string{"renderer", "mtu"} {
		if n := d.get(key); n != nil {
			put(bridge, key, copyOf(n))
		}
	}
	parameters := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put(parameters, "stp", truth(c.STP))
	put(parameters, "forward-delay", number(int(c.Delay)))
	front := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put(front, "interfaces", list(yaml.FlowStyle, word(port)))
	put(front, "macaddress", quoted(c.MAC.String()))
	put(front, "parameters", parameters)
	bridge.Content = append(front.Content, bridge.Content...)
	key := child(network, "bridges").Content[childAt(child(network, "bridges"), c.Bridge)]
	key.HeadComment = strings.TrimSpace(header(unconvert(c.Bridge)))
	if !d.alone() {
		netplanAlone(network, d, port, c.NIC)
	}
}

// netplanAlone defines the NIC apart from others, for which its definition is as well.
func netplanAlone(network *yaml.Node, d netplanDef, port, nic string) {
	own := ensure(ensure(network, "ethernets", ""), port, "")
	put(own, "match", mapping("name", word(nic)))
	for _, key := range []string{"renderer", "mtu", "wakeonlan", "emit-lldp"} {
		if n := d.get(key); n != nil {
			put(own, key, copyOf(n))
		}
	}
}

// netplanRefuse finds what cannot be converted in netplan's files.
func netplanRefuse(files []netplanFile, d netplanDef, c Conversion) error {
	where := strings.Join(d.places(), ", ")
	if other, ok := netplanOf(files, c.Bridge, Link{}); ok {
		return &Refusal{fmt.Sprintf("make bridge %s: %s defines that name: choose another with --name", c.Bridge, strings.Join(other.places(), ", "))}
	}
	if d.kind == "" {
		return &Refusal{fmt.Sprintf("convert %s: no file of netplan defines it", c.NIC)}
	}
	if by, ok := claimed(files, d.id); ok {
		return &Refusal{fmt.Sprintf("convert %s: it is a port of %s in %s: convert that one", c.NIC, by.id, strings.Join(by.places(), ", "))}
	}
	switch {
	case d.kind == "wifis" || d.kind == "modems":
		return &Refusal{fmt.Sprintf("convert %s: %s defines it among %s, which cannot be ports of a bridge: use a network of mode nat", c.NIC, where, d.kind)}
	case d.get("openvswitch") != nil:
		return &Refusal{fmt.Sprintf("convert %s: %s makes it a port of Open vSwitch", c.NIC, where)}
	case !d.alone() && d.renderer(files) != "networkd":
		return &Refusal{fmt.Sprintf("convert %s: its definition %s in %s is for several interfaces: write one for %s alone, with the same content", c.NIC, d.id, where, c.NIC)}
	}
	for _, p := range d.parts {
		if strings.HasPrefix(p.file.path, "/run/") {
			return &Refusal{fmt.Sprintf("convert %s: %s is made anew at each boot: copy it to /etc/netplan under another name, and remove it", c.NIC, p.file.path)}
		}
	}
	if place, ok := d.fixed(); ok {
		return &Refusal{fmt.Sprintf("convert %s: %s: an anchor or alias cannot be moved: write the value out", c.NIC, place)}
	}
	return nil
}

// netplanIdentity has the DHCP server know the bridge for the NIC, with what netplan
// has no words for: see networkdIdentity.
func netplanIdentity(e *edit, files []netplanFile, d netplanDef, c Conversion) {
	iaid, ok := e.tree.link(c.NIC).iaid()
	if !ok || d.renderer(files) != "networkd" || d.text("dhcp-identifier") == "mac" || !isYes(d.text("dhcp4")) && !isYes(d.text("dhcp6")) {
		return
	}
	e.set("/etc/systemd/network/10-netplan-"+c.Bridge+".network.d/kvmnet.conf",
		header(unconvert(c.Bridge))+"# The DHCP server knows "+c.NIC+" by this.\n[DHCPv4]\nIAID="+iaid+"\n\n[DHCPv6]\nIAID="+iaid+"\n", 0o644)
}

// cloudInit keeps cloud-init from writing its files anew over ours.
func cloudInit(e *edit, bridge string, paths []string) {
	const dir = "/etc/cloud/cloud.cfg.d"
	if !e.tree.Dirs[dir] && len(e.tree.in(dir)) == 0 {
		return
	}
	if !slices.ContainsFunc(paths, func(p string) bool { return strings.Contains(p, "cloud-init") }) {
		return
	}
	for _, p := range e.tree.in(dir, ".cfg") {
		if doc, err := parseYAML(p, e.tree.text(p)); err == nil && doc != nil {
			if n := child(child(doc.Content[0], "network"), "config"); n != nil && n.Value == "disabled" {
				return
			}
		}
	}
	e.set(dir+"/99-kvmnet-network.cfg", header(unconvert(bridge))+"network: {config: disabled}\n", 0o644)
}
