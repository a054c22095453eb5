package libvirtxml

import (
	"maps"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
	"kvmnet/internal/xmltree"
)

// portElements are those a port may have, and their attributes.
var portElements = map[string][]string{
	"uuid": nil, "owner": nil, "group": nil, "mac": {"address"}, "virtualport": {"type"}, "bandwidth": {"classID"}, "vlan": {"trunk"},
	"port": {"isolated"}, "rxfilters": {"trustGuest"}, "plug": {"type", "bridge", "macTableManager", "dev", "mode", "managed"},
}

// portNotes tells what libvirt ignores silently.
func portNotes(root *xmltree.Node, l *xmltree.Lines) (notes []specfile.Problem) {
	names := slices.Sorted(maps.Keys(portElements))
	note := func(at int, path, message, hint string) {
		line, column := l.Position(at)
		notes = append(notes, specfile.Problem{Line: line, Column: column, Path: path, Message: message, Hint: hint})
	}
	seen := map[string]bool{}
	for _, e := range root.Inside(func(*xmltree.Node) bool { return true }) {
		attributes, known := portElements[e.Name]
		switch {
		case !known || e.Space != "":
			note(e.At, e.Name, "<"+e.FullName()+"> is ignored, libvirt does not know it here", nearest(e.Name, names))
		case seen[e.Name]:
			note(e.At, e.Name, "<"+e.Name+"> is ignored, the first one counts", "remove it")
		}
		seen[e.Name] = true
		for _, a := range e.Attrs {
			if known && !slices.Contains(attributes, a.Name) {
				note(a.At, e.Name+"@"+a.Name, a.Name+" of <"+e.Name+"> is ignored, libvirt does not know it here", nearest(a.Name, attributes))
			}
		}
	}
	return notes
}

// nearest is a hint at a word that may have been meant.
func nearest(word string, words []string) string {
	if near := spec.Nearest(word, words); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}
