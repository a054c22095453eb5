package netfiles

import (
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// netplanJoin edits the files that say something of the NIC or of the bridge: the NIC's
// addresses move to the bridge's definition, the last part of it where there are several.
func netplanJoin(t Tree, c Conversion) ([]Change, error) {
	files, err := loadNetplan(t)
	if err != nil {
		return nil, fmt.Errorf("read netplan's files: %w", err)
	}
	j := netplanJoining{c: c, files: files}
	j.bridge, _ = netplanOf(files, c.Bridge, t.link(c.Bridge))
	j.nic, _ = netplanOf(files, c.NIC, known(t, c))
	if err := j.refuse(); err != nil {
		return nil, err
	}
	e := newEdit(t)
	netplanIdentity(e, files, j.nic, c)
	if err := j.edit(); err != nil {
		return nil, err
	}
	if j.bridge.renderer(files) == "networkd" {
		e.set(runNetworkd+"10-netplan-"+c.Bridge+".network.d/"+keepName, header(unconvert(c.Bridge))+netplanKeep(j.bridge), 0o644)
	}
	if err := j.write(e); err != nil {
		return nil, err
	}
	cloudInit(e, c.Bridge, append(j.nic.places(), j.bridge.places()...))
	return e.changes(), nil
}

// netplanJoining is a bridge's definition and that of a NIC that becomes its port.
type netplanJoining struct {
	c           Conversion
	files       []netplanFile
	nic, bridge netplanDef
	apart       bool // the NIC gets a definition of its own
}

// taken reports whether an id is that of a definition, for whatever interface.
func (j *netplanJoining) taken(id string) bool {
	return slices.ContainsFunc(netplanDefs(j.files, netplanKinds...), func(d netplanDef) bool { return d.id == id })
}

// edit changes the nodes.
func (j *netplanJoining) edit() error {
	was := j.bridge.copy()
	j.apart = !j.nic.alone()
	last := &j.bridge.parts[len(j.bridge.parts)-1]
	last.node = ensure(child(last.file.network(), "bridges"), j.c.Bridge, "") // which may be null
	if j.nic.kind == "" {                                                     // nothing defines it yet, and what it has now goes to the bridge
		m := mapping()
		netplanIP(m, j.c.Live)
		j.nic = netplanDef{kind: "ethernets", id: j.c.NIC, parts: []netplanPart{{last.file, m}}}
		if j.apart = j.taken(j.c.NIC); !j.apart {
			ensure(ensure(last.file.network(), "ethernets", ""), j.c.NIC, "")
		}
	}
	m := netplanMerge{j, was, last.node}
	if err := m.declined(); err != nil {
		return err
	}
	m.unsaid()
	for _, part := range j.nic.parts {
		for _, key := range keysOf(part.node) {
			if !slices.Contains(netplanMoved, key) {
				continue
			}
			if err := m.add(part, key); err != nil {
				return err
			}
			if j.nic.alone() && !slices.Contains(netplanShared, key) {
				cut(part.node, key)
			}
		}
	}
	j.port(last.node)
	j.set("macaddress", quoted(j.c.MAC.String()))
	if n := j.mtu(); n > 0 {
		j.set("mtu", number(n))
	}
	return nil
}

// copy is a definition that stays as it is.
func (d netplanDef) copy() netplanDef {
	d.parts = slices.Clone(d.parts)
	for i := range d.parts {
		d.parts[i].node = copyOf(d.parts[i].node)
	}
	return d
}

// port adds the NIC to the bridge's ports.
func (j *netplanJoining) port(to *yaml.Node) {
	id := j.nic.id
	if j.apart {
		id = "0-kvmnet-" + j.c.NIC // its file must sort before the one of the definition for several
		last := j.nic.parts[len(j.nic.parts)-1]
		netplanAlone(last.file.network(), j.nic, id, j.c.NIC)
	}
	if n := child(to, "interfaces"); n != nil && n.Kind == yaml.SequenceNode {
		n.Content = append(n.Content, word(id))
		return
	}
	pair := []*yaml.Node{word("interfaces"), list(yaml.FlowStyle, word(id))}
	cut(to, "interfaces") // null
	to.Content = append(pair, to.Content...)
}

// set gives the bridge a value: in its place where there is one, whichever file that is.
func (j *netplanJoining) set(key string, value *yaml.Node) {
	to := j.bridge.parts[len(j.bridge.parts)-1].node
	for _, p := range j.bridge.parts {
		if child(p.node, key) != nil {
			to = p.node
		}
	}
	if old := child(to, key); old != nil {
		value.LineComment, value.FootComment = old.LineComment, old.FootComment
	}
	put(to, key, value)
}

// mtu is what the bridge is to be told: the smaller one of both, 0 for nothing; see
// joining.bridgeMTU.
func (j *netplanJoining) mtu() int {
	nic, said := j.c.MTU, j.bridge.text("mtu")
	if nic == 0 {
		if nic, _ = strconv.Atoi(j.nic.text("mtu")); nic == 0 {
			nic = 1500
		}
	}
	now, err := strconv.Atoi(said)
	ports := 0
	for _, p := range j.bridge.strings("interfaces") {
		if p != j.nic.id && p != "0-kvmnet-"+j.c.NIC {
			ports++
		}
	}
	switch {
	case said != "" && err == nil && nic < now, said == "" && nic < 1500, said == "" && nic > 1500 && ports == 0:
		return nic
	}
	return 0
}

// write has the files that one of both definitions is in written anew.
func (j *netplanJoining) write(e *edit) error {
	for _, f := range j.files {
		if !slices.Contains(append(j.nic.places(), j.bridge.places()...), f.path) {
			continue
		}
		text, err := formatYAML(f.doc, e.tree.text(f.path))
		if err != nil {
			return fmt.Errorf("write %s: %w", f.path, err)
		}
		e.copy(editable(f.path), text, f.path)
	}
	return nil
}
