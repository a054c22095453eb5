package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// networkdUndefine removes the files that are for this interface alone, and those that
// make others its ports.
func networkdUndefine(e *edit, name string) error {
	t := e.tree
	found := false
	for _, p := range networks(t, ".netdev") {
		if n := loadNetwork(t, p); n.all.get("NetDev", "Name") == name {
			found = true
			e.drop(n)
		}
	}
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		s := n.all
		switch {
		case slices.Equal(n.names(), []string{name}):
			found = true
			e.drop(n)
		case s.get("Network", "Bridge") == name || s.get("Network", "Bond") == name:
			if !ours(t.text(p)) {
				return &Refusal{fmt.Sprintf("undefine %s: %s makes another interface its port: take the line out, or remove the file", name, p)}
			}
			e.drop(n)
		case slices.Contains(s.list("Network", "VLAN"), name):
			if err := networkdUncarry(e, n, name); err != nil {
				return err
			}
		}
	}
	if n, ok := networkOf(e.result(), name, t.link(name)); ok && !found {
		return &Refusal{fmt.Sprintf("undefine %s: %s is for other interfaces, too: give %s a file of its own, or edit that one", name, n.path, name)}
	}
	return nil
}

// networkdUncarry takes a VLAN from the interface below.
func networkdUncarry(e *edit, n network, name string) error {
	of := ".d/kvmnet-" + name + ".conf"
	for _, d := range n.dropins {
		if strings.HasSuffix(d, of) {
			e.remove(d)
			return nil
		}
	}
	if ours(e.text(n.path)) {
		e.drop(n)
		return nil
	}
	return &Refusal{fmt.Sprintf("undefine %s: %s says VLAN=%s: take the line out", name, n.path, name)}
}

// drop removes a file with its drop-ins. One outside of /etc is hidden instead: the
// system's packages own it.
func (e *edit) drop(n network) {
	for _, p := range append([]string{n.path}, n.dropins...) {
		if strings.HasPrefix(p, "/etc/") {
			e.remove(p)
		}
	}
	if !strings.HasPrefix(n.path, "/etc/") {
		e.set(networkdDirs[0]+"/"+path.Base(n.path), "", 0o644)
	}
}
