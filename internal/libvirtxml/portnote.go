package libvirtxml

import (
	"maps"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// portElements are those a port may have, and their attributes.
var portElements = map[string][]string{
	"uuid": nil, "owner": nil, "group": nil, "mac": {"address"}, "virtualport": {"type"}, "bandwidth": {"classID"}, "vlan": {"trunk"},
	"port": {"isolated"}, "rxfilters": {"trustGuest"}, "plug": {"type", "bridge", "macTableManager", "dev", "mode", "managed"},
}

// portNotes tells what libvirt ignores silently.
func portNotes(root *node, l *lines) (notes []specfile.Problem) {
	names := slices.Sorted(maps.Keys(portElements))
	note := func(at int, path, message, hint string) {
		line, column := l.position(at)
		notes = append(notes, specfile.Problem{Line: line, Column: column, Path: path, Message: message, Hint: hint})
	}
	seen := map[string]bool{}
	for _, e := range root.inside(func(*node) bool { return true }) {
		attributes, known := portElements[e.name]
		switch {
		case !known || e.space != "":
			note(e.at, e.name, "<"+fullName(e.prefix, e.name)+"> is ignored, libvirt does not know it here", nearest(e.name, names))
		case seen[e.name]:
			note(e.at, e.name, "<"+e.name+"> is ignored, the first one counts", "remove it")
		}
		seen[e.name] = true
		for _, a := range e.attrs {
			if known && !slices.Contains(attributes, a.name) {
				note(a.at, e.name+"@"+a.name, a.name+" of <"+e.name+"> is ignored, libvirt does not know it here", nearest(a.name, attributes))
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
