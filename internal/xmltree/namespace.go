package xmltree

import "slices"

// Declares reports whether an element itself declares a prefix.
func (n *Node) Declares(prefix string) bool { return declares(n.Declared, prefix) }

// Adopt brings elements that are in no namespace into one.
func (n *Node) Adopt(uri, prefix string) {
	if n.Kind != Element {
		return
	}
	if n.Space == "" {
		n.Space, n.Prefix = uri, prefix
	}
	for _, c := range n.Children {
		c.Adopt(uri, prefix)
	}
}

// Forget takes a namespace out of an element and of all elements inside.
func (n *Node) Forget(uri string) {
	n.Declared = slices.DeleteFunc(n.Declared, func(d Attr) bool { return d.Value == uri })
	if n.Space == uri {
		n.Space, n.Prefix = "", ""
	}
	for i, a := range n.Attrs {
		if a.Space == uri {
			n.Attrs[i].Space, n.Attrs[i].Prefix = "", ""
		}
	}
	for _, c := range n.Children {
		c.Forget(uri)
	}
}
