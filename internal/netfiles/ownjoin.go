package netfiles

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// ownJoin adds the NIC and what it has to the bridge's definition, whose comments stay.
func ownJoin(t Tree, c Conversion) ([]Change, error) {
	bridge, err := ownDefined(t, c.Bridge)
	if err != nil {
		return nil, err
	}
	port, where, err := ownPort(t, c)
	if err != nil {
		return nil, err
	}
	at := t.ownPath(c.Bridge)
	joined, err := ownJoined(*bridge, port, at, where, c)
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	if t.Has(t.ownPath(c.NIC)) {
		e.remove(t.ownPath(c.NIC))
	}
	text, err := ownGraft(t.text(at), *bridge, joined)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", at, err)
	}
	e.set(at, text, 0o644)
	return e.changes(), nil
}

// ownPort is the NIC as it is defined, or as it is now, and where that is said.
func ownPort(t Tree, c Conversion) (spec.HostInterface, string, error) {
	nic, where := c.Live, c.now()
	if now, err := ownDefined(t, c.NIC); err != nil {
		return nic, "", err
	} else if now != nil {
		nic, where = *now, t.ownPath(c.NIC)
	}
	port := spec.HostInterface{Name: c.NIC, Type: spec.EthernetInterface, Start: nic.Start, MAC: nic.MAC, MTU: cmp.Or(nic.MTU, c.mtu()), IPv4: nic.IPv4, IPv6: nic.IPv6}
	if where != t.ownPath(c.NIC) {
		port.MAC, port.MTU = spec.MAC{}, c.mtu()
	}
	if nic.Type != "" && nic.Type != spec.BridgeInterface {
		port.Type, port.Bond, port.VLAN = nic.Type, nic.Bond, nic.VLAN
	}
	return port, where, nil
}

// ownJoined is the bridge with the NIC, when the two agree.
func ownJoined(bridge, port spec.HostInterface, at, where string, c Conversion) (spec.HostInterface, error) {
	f := &faults{Conversion: c}
	switch {
	case bridge.Type != spec.BridgeInterface && bridge.Bridge == nil:
		f.noBridge(at)
	case slices.Contains(portNames(bridge), c.NIC):
		f.portOf(at, c.Bridge)
	}
	f.tooLong(bridge.MTU, port.MTU, at)
	joined, against := bridge.Joined(port)
	for _, what := range against {
		f.contradict(what, at, where)
	}
	if joined.MAC = c.MAC; f.lines == nil {
		for _, p := range joined.Validate() {
			f.add("%s and %s together: %s", at, where, p)
		}
	}
	return joined, f.err()
}

// ownGraft is the text of a definition that says something else, with its comments. What
// is written in another way than kvmnet's and means the same stays.
func ownGraft(text string, was, is spec.HostInterface) (string, error) {
	doc, err := parseYAML("", text)
	if err != nil || doc == nil {
		return "", err
	}
	var both [2]*yaml.Node
	for k, i := range []spec.HostInterface{was, is} {
		if both[k], err = parseYAML("", string(specfile.FormatInterface(&i))); err != nil {
			return "", err
		}
	}
	graft(doc.Content[0], both[0].Content[0], both[1].Content[0])
	grafted, err := formatYAML(doc, text)
	file, _ := specfile.ParseInterface("", []byte(grafted))
	if plain := string(specfile.FormatInterface(&is)); err == nil && string(specfile.FormatInterface(&file.Interface)) != plain {
		return plain, nil // it has keys in a way that cannot be followed
	}
	return grafted, err
}

// graft changes a node where two others differ: mappings by their keys, lists at their
// end.
func graft(n, was, is *yaml.Node) {
	for k := 0; k+1 < len(is.Content) && is.Kind == yaml.MappingNode; k += 2 {
		key, value := is.Content[k].Value, is.Content[k+1]
		now, before := child(n, key), child(was, key)
		switch {
		case now != nil && before != nil && now.Kind == value.Kind && value.Kind == yaml.MappingNode:
			graft(now, before, value)
		case now != nil && before != nil && now.Kind == value.Kind && value.Kind == yaml.SequenceNode && len(now.Content) == len(before.Content):
			now.Content = append(now.Content, value.Content[len(before.Content):]...)
		case before == nil || before.Value != value.Value || before.Kind != value.Kind:
			put(n, key, value)
		}
	}
}
