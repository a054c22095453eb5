package libvirtxml

import "strings"

// kind is what a node of the tree is.
type kind int

const (
	elementNode kind = iota
	textNode
	cdataNode
	commentNode
	instructionNode
)

// node is an element of a document, or what stands between elements. Places are
// offsets of bytes in the text.
type node struct {
	kind         kind
	prefix, name string // an instruction has its target as name
	space        string // URI of the namespace
	text         string // of all but elements
	declared     []attr // namespaces: name is the prefix, value the URI
	attrs        []attr
	children     []*node
	parent       *node
	at           int
	blank        bool // text that is white space as it was written
}

// attr is an attribute.
type attr struct {
	prefix, name, space, value string
	at, valueAt                int
}

// fullName is a name as it is written.
func fullName(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

// attribute finds an attribute by its name, whatever its namespace.
func (n *node) attribute(name string) (attr, bool) {
	if n != nil {
		for _, a := range n.attrs {
			if a.name == name {
				return a, true
			}
		}
	}
	return attr{}, false
}

// value is an attribute's value, "" when it is not there.
func (n *node) value(name string) string {
	a, _ := n.attribute(name)
	return a.value
}

// has reports whether an attribute is there, even an empty one.
func (n *node) has(name string) bool {
	_, has := n.attribute(name)
	return has
}

// own is the value of an attribute that is in no namespace. libvirt reads most
// attributes of a network in this way, and then an empty one is none.
func (n *node) own(name string) string {
	if n != nil {
		for _, a := range n.attrs {
			if a.name == name && a.space == "" && a.prefix == "" {
				return a.value
			}
		}
	}
	return ""
}

// place is where the value of an attribute is, or the element when it is not there.
func (n *node) place(name string) int {
	if a, has := n.attribute(name); has {
		return a.valueAt
	}
	return n.at
}

// elements are the elements of a name directly inside, those of no namespace.
func (n *node) elements(name string) []*node {
	return n.inside(func(c *node) bool { return c.name == name && c.space == "" && c.prefix == "" })
}

// named are the elements of a name directly inside, whatever their namespace. libvirt
// looks for some elements so, for others only in no namespace.
func (n *node) named(name string) []*node {
	return n.inside(func(c *node) bool { return c.name == name })
}

func (n *node) inside(wanted func(*node) bool) []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, c := range n.children {
		if c.kind == elementNode && wanted(c) {
			found = append(found, c)
		}
	}
	return found
}

// first is the first of nodes, nil when there are none.
func first(nodes []*node) *node {
	if len(nodes) == 0 {
		return nil
	}
	return nodes[0]
}

// content is all text inside, that of elements inside included.
func (n *node) content() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	n.addContent(&b)
	return b.String()
}

func (n *node) addContent(b *strings.Builder) {
	switch n.kind {
	case textNode, cdataNode:
		b.WriteString(n.text)
	case elementNode:
		for _, c := range n.children {
			c.addContent(b)
		}
	}
}
