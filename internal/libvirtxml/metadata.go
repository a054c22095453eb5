package libvirtxml

import (
	"slices"
	"strings"

	"kvmnet/internal/xmltree"
)

// MetadataOf is the element that the metadata has of a namespace, as tools ask for it:
// without the declaration of the namespace and its prefix.
func (n *Network) MetadataOf(uri string) (string, bool) {
	i := slices.IndexFunc(n.Metadata, func(e Element) bool { return e.Namespace == uri })
	if i < 0 {
		return "", false
	}
	root, _, err := readElement(n.Metadata[i].Text, networkLabel)
	if err != nil {
		return "", false
	}
	root.Forget(uri)
	return root.Alone(), true
}

// SetMetadata puts an element into the metadata, in the place of the one that has the
// same namespace. Elements of it that are in no namespace come into that one, with the
// key as their prefix. On an error, an *Error in libvirt's words, the network is as it
// was.
func (n *Network) SetMetadata(uri, key, xml string) error {
	root, _, err := readElement(xml, metadataLabel)
	switch {
	case err != nil:
		return err
	case !xmltree.IsPrefix(key):
		return &Error{Message: classInternal + "failed to validate prefix for a new XML namespace"}
	case root.Declares(key), strings.HasPrefix(key, "xml"): // those are XML's own
		return &Error{Message: classInternal + "failed to create a new XML namespace"}
	}
	root.Declared = append(root.Declared, xmltree.Attr{Name: key, Value: uri})
	root.Adopt(uri, key)
	n.RemoveMetadata(uri)
	n.RemoveMetadata(root.Space)
	n.Metadata = append(n.Metadata, Element{Namespace: root.Space, Text: root.Alone()})
	return nil
}

// RemoveMetadata takes the element of a namespace out. That there is none is no error.
func (n *Network) RemoveMetadata(uri string) {
	n.Metadata = slices.DeleteFunc(slices.Clone(n.Metadata), func(e Element) bool { return e.Namespace == uri })
}
