package netfiles

import (
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"
)

// check refuses sections and definitions that are none.
func (f netplanFile) check() error {
	for _, kind := range netplanKinds {
		in := child(f.network(), kind)
		list := map[string]*yaml.Node{kind: in}
		for _, id := range keysOf(in) {
			if id != "renderer" && id != "version" {
				list[kind+"."+id] = child(in, id)
			}
		}
		for _, what := range slices.Sorted(maps.Keys(list)) {
			if n := list[what]; n != nil && n.Kind != yaml.MappingNode && n.Tag != "!!null" {
				return fmt.Errorf("%s:%d:%d: %s is to be a mapping", f.path, n.Line, n.Column, what)
			}
		}
	}
	return nil
}

// fixed finds an anchor or an alias that keeps a definition from being edited.
func (d netplanDef) fixed() (place string, ok bool) {
	for _, p := range d.parts {
		network := p.file.network()
		n := anchored(p.node)
		for _, key := range []string{"ethernets", "bridges", d.kind} {
			if at := childAt(network, key); at >= 0 && network.Content[at+1].Kind == yaml.AliasNode {
				n = network.Content[at+1]
			}
		}
		if network.Anchor != "" {
			n = network
		}
		if n != nil {
			return fmt.Sprintf("%s:%d:%d", p.file.path, n.Line, n.Column), true
		}
	}
	return "", false
}
