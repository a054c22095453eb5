package netfiles

import (
	"fmt"
	"strings"
)

// netplanUndefine takes a definition out of all files. One with nothing left is removed
// when it is kvmnet's.
func netplanUndefine(e *edit, name string) error {
	files, err := loadNetplan(e.tree)
	if err != nil {
		return err
	}
	d, ok := netplanOf(files, name, e.tree.link(name))
	if !ok {
		return nil
	}
	if !d.alone() {
		return &Refusal{fmt.Sprintf("undefine %s: its definition %s in %s is for several interfaces: edit that one", name, d.id, strings.Join(d.places(), ", "))}
	}
	for _, p := range d.parts {
		if strings.HasPrefix(p.file.path, "/run/") {
			return &Refusal{fmt.Sprintf("undefine %s: %s is made anew at each boot: remove what makes it", name, p.file.path)}
		}
		if ours(e.tree.text(p.file.path)) && strings.HasSuffix(p.file.path, "-kvmnet-"+name+".yaml") {
			e.remove(p.file.path)
			continue
		}
		network := p.file.network()
		if cut(child(network, d.kind), d.id); len(keysOf(child(network, d.kind))) == 0 {
			cut(network, d.kind)
		}
		text, err := formatYAML(p.file.doc, e.tree.text(p.file.path))
		if err != nil {
			return err
		}
		e.set(editable(p.file.path), text, 0o600)
	}
	return nil
}
