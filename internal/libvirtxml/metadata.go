package libvirtxml

import (
	"slices"
	"strings"
)

// MetadataOf is the element that the metadata has of a namespace, as tools ask for it:
// without the declaration of the namespace and its prefix.
func (n *Network) MetadataOf(uri string) (string, bool) {
	i := slices.IndexFunc(n.Metadata, func(e Element) bool { return e.Namespace == uri })
	if i < 0 {
		return "", false
	}
	root, _, err := readElement([]byte(n.Metadata[i].Text))
	if err != nil {
		return "", false
	}
	root.forget(uri)
	return root.alone(), true
}

// SetMetadata puts an element into the metadata, in the place of the one that has the
// same namespace. Elements of it that are in no namespace come into that one, with the
// key as their prefix. On an error, an *Error in libvirt's words, the network is as it
// was.
func (n *Network) SetMetadata(uri, key, xml string) error {
	root, _, err := readElement([]byte(xml))
	switch {
	case err != nil:
		return relabel(err, "(metadata_xml)")
	case !isPrefix(key):
		return &Error{Message: classInternal + "failed to validate prefix for a new XML namespace"}
	case declares(root.declared, key), strings.HasPrefix(key, "xml"): // those are XML's own
		return &Error{Message: classInternal + "failed to create a new XML namespace"}
	}
	root.declared = append(root.declared, attr{name: key, value: uri})
	root.adopt(uri, key)
	n.RemoveMetadata(uri)
	n.RemoveMetadata(root.space)
	n.Metadata = append(n.Metadata, Element{Namespace: root.space, Text: root.alone()})
	return nil
}

// RemoveMetadata takes the element of a namespace out. That there is none is no error.
func (n *Network) RemoveMetadata(uri string) {
	n.Metadata = slices.DeleteFunc(slices.Clone(n.Metadata), func(e Element) bool { return e.Namespace == uri })
}

// isPrefix reports whether a text can stand before the colon of a name.
func isPrefix(s string) bool {
	for i, r := range s {
		if r == ':' || !isName(r) && (i == 0 || !isNameRest(r)) {
			return false
		}
	}
	return s != ""
}

// adopt brings elements that are in no namespace into one.
func (n *node) adopt(uri, prefix string) {
	if n.kind != elementNode {
		return
	}
	if n.space == "" {
		n.space, n.prefix = uri, prefix
	}
	for _, c := range n.children {
		c.adopt(uri, prefix)
	}
}

// forget takes a namespace out of an element and of all elements inside.
func (n *node) forget(uri string) {
	n.declared = slices.DeleteFunc(n.declared, func(d attr) bool { return d.value == uri })
	if n.space == uri {
		n.space, n.prefix = "", ""
	}
	for i, a := range n.attrs {
		if a.space == uri {
			n.attrs[i].space, n.attrs[i].prefix = "", ""
		}
	}
	for _, c := range n.children {
		c.forget(uri)
	}
}
