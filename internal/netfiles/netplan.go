package netfiles

import (
	"errors"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// netplanDirs are where netplan looks, the strongest first (netplan-generate(8)).
var netplanDirs = []string{"/run/netplan", "/etc/netplan", "/usr/lib/netplan", "/lib/netplan"}

// netplanFile is one of netplan's.
type netplanFile struct {
	path string
	doc  *yaml.Node
}

// network is the mapping all is in.
func (f netplanFile) network() *yaml.Node { return child(f.doc.Content[0], "network") }

// loadNetplan reads the files that count, in the order that they are merged.
func loadNetplan(t Tree) ([]netplanFile, error) {
	var files []netplanFile
	var errs []error
	for _, p := range t.across(netplanDirs, ".yaml") {
		doc, err := parseYAML(p, t.text(p))
		errs = append(errs, err)
		if doc != nil && err == nil && child(doc.Content[0], "network") != nil {
			files = append(files, netplanFile{p, doc})
			errs = append(errs, files[len(files)-1].check())
		}
	}
	return files, errors.Join(errs...)
}

// netplanKinds are the sections that define interfaces.
var netplanKinds = []string{"ethernets", "bridges", "bonds", "vlans", "wifis", "modems", "tunnels", "vrfs", "nm-devices", "dummy-devices"}

// netplanDef is one definition, of which each file may say a part.
type netplanDef struct {
	kind, id string
	parts    []netplanPart
}

type netplanPart struct {
	file netplanFile
	node *yaml.Node // a mapping
}

// netplanDefs gathers the definitions of a kind, by id.
func netplanDefs(files []netplanFile, kinds ...string) []netplanDef {
	var defs []netplanDef
	for _, kind := range kinds {
		for _, f := range files {
			in := child(f.network(), kind)
			for _, id := range keysOf(in) {
				node := child(in, id)
				if id == "renderer" || id == "version" || node == nil || node.Kind != yaml.MappingNode && node.Tag != "!!null" {
					continue
				}
				at := slices.IndexFunc(defs, func(d netplanDef) bool { return d.kind == kind && d.id == id })
				if at < 0 {
					defs = append(defs, netplanDef{kind: kind, id: id})
					at = len(defs) - 1
				}
				defs[at].parts = append(defs[at].parts, netplanPart{f, node})
			}
		}
	}
	slices.SortStableFunc(defs, func(a, b netplanDef) int { return strings.Compare(a.id, b.id) })
	return defs
}

// get is a value, that of the last file that has one; keys lead inwards.
func (d netplanDef) get(keys ...string) *yaml.Node {
	for _, p := range slices.Backward(d.parts) {
		n := p.node
		for _, k := range keys {
			n = child(n, k)
		}
		if n != nil {
			return n
		}
	}
	return nil
}

func (d netplanDef) text(keys ...string) string {
	if n := d.get(keys...); n != nil && n.Kind == yaml.ScalarNode {
		return n.Value
	}
	return ""
}

// items are those of a list in all files, which netplan joins.
func (d netplanDef) items(keys ...string) []*yaml.Node {
	var found []*yaml.Node
	for _, p := range d.parts {
		n := p.node
		for _, k := range keys {
			n = child(n, k)
		}
		if n != nil && n.Kind == yaml.SequenceNode {
			for _, item := range n.Content {
				found = append(found, follow(item))
			}
		}
	}
	return found
}

func (d netplanDef) strings(keys ...string) []string {
	var words []string
	for _, n := range d.items(keys...) {
		words = append(words, n.Value)
	}
	if n := d.get(keys...); n != nil && n.Kind == yaml.ScalarNode {
		words = append(words, n.Value)
	}
	return words
}

// fits reports whether a definition of hardware is for an interface.
func (d netplanDef) fits(name string, l Link) bool {
	match := d.get("match")
	if match == nil {
		return d.id == name
	}
	if names := d.strings("match", "name"); len(names) > 0 && !glob(names, name) && d.text("set-name") != name && !slices.ContainsFunc(l.AltNames, func(a string) bool { return glob(names, a) }) {
		return false
	}
	if mac := d.text("match", "macaddress"); mac != "" {
		got, err := spec.ParseMAC(mac)
		if err != nil || got != l.MAC && got != l.PermanentMAC {
			return false
		}
	}
	if drivers := d.strings("match", "driver"); len(drivers) > 0 && !glob(drivers, l.Driver) {
		return false
	}
	return len(keysOf(match)) > 0
}

// alone reports whether a definition can be for one interface only.
func (d netplanDef) alone() bool {
	if d.get("match") == nil || d.text("match", "macaddress") != "" || d.text("set-name") != "" {
		return true
	}
	names := d.strings("match", "name")
	return len(names) == 1 && !strings.ContainsAny(names[0], "*?[")
}

// netplanOf is the definition that is in use for an interface. When several fit, the
// files that netplan writes for systemd-networkd are tried by name, so the first id is.
func netplanOf(files []netplanFile, name string, l Link) (netplanDef, bool) {
	for _, d := range netplanDefs(files, "ethernets") {
		if d.fits(name, l) {
			return d, true
		}
	}
	for _, d := range netplanDefs(files, netplanKinds[1:]...) {
		if d.id == name && d.kind != "nm-devices" {
			return d, true
		}
	}
	return netplanDef{}, false
}

// renderer is who netplan writes for.
func (d netplanDef) renderer(files []netplanFile) string {
	found := "networkd"
	for _, f := range files {
		for _, n := range []*yaml.Node{child(f.network(), "renderer"), child(child(f.network(), d.kind), "renderer")} {
			if n != nil {
				found = n.Value
			}
		}
	}
	if r := d.text("renderer"); r != "" {
		found = r
	}
	return found
}

// claimed is the definition that has one as its port.
func claimed(files []netplanFile, id string) (netplanDef, bool) {
	for _, d := range netplanDefs(files, "bridges", "bonds", "vrfs") {
		if slices.Contains(d.strings("interfaces"), id) {
			return d, true
		}
	}
	return netplanDef{}, false
}

// places lists the files that say something of a definition.
func (d netplanDef) places() []string {
	var list []string
	for _, p := range d.parts {
		list = append(list, p.file.path)
	}
	return list
}

// editable is where a file is edited: one of a package is hidden by a copy of its name.
func editable(p string) string {
	if strings.HasPrefix(p, "/etc/") {
		return p
	}
	return path.Join("/etc/netplan", path.Base(p))
}
