package xmltree

import "strings"

// Kind is what a node of the tree is.
type Kind int

// The kinds of nodes. Text is as it was meant: references are resolved, and ends of
// lines are line feeds.
const (
	Element Kind = iota
	Text
	CDATA
	Comment
	Instruction
)

// Node is an element of a document, or what stands between elements. Places are
// offsets of bytes in the text, which Lines turns into lines and columns. In a nil
// element there is nothing to be found.
type Node struct {
	Kind         Kind
	Prefix, Name string // an instruction has its target as Name
	Space        string // URI of the namespace
	Text         string // of all but elements
	Declared     []Attr // namespaces: Name is the prefix, Value the URI
	Attrs        []Attr
	Children     []*Node
	Parent       *Node
	At           int
	blank        bool // text that is white space as it was written
}

// Attr is an attribute. At is where its name is, ValueAt its value, behind the quote.
type Attr struct {
	Prefix, Name, Space, Value string
	At, ValueAt                int
}

// FullName is the name as it is written.
func (n *Node) FullName() string { return fullName(n.Prefix, n.Name) }

// FullName is the name as it is written.
func (a Attr) FullName() string { return fullName(a.Prefix, a.Name) }

func fullName(prefix, name string) string {
	if prefix == "" {
		return name
	}
	return prefix + ":" + name
}

// Attribute finds an attribute by its name, whatever its namespace.
func (n *Node) Attribute(name string) (Attr, bool) {
	if n != nil {
		for _, a := range n.Attrs {
			if a.Name == name {
				return a, true
			}
		}
	}
	return Attr{}, false
}

// Value is an attribute's value, "" when it is not there.
func (n *Node) Value(name string) string {
	a, _ := n.Attribute(name)
	return a.Value
}

// Has reports whether an attribute is there, even an empty one.
func (n *Node) Has(name string) bool {
	_, has := n.Attribute(name)
	return has
}

// Own is the value of an attribute that is in no namespace. libvirt reads most
// attributes of a network in this way, and then an empty one is none.
func (n *Node) Own(name string) string {
	if n != nil {
		for _, a := range n.Attrs {
			if a.Name == name && a.Space == "" && a.Prefix == "" {
				return a.Value
			}
		}
	}
	return ""
}

// Place is where the value of an attribute is, or the element when it is not there.
func (n *Node) Place(name string) int {
	if a, has := n.Attribute(name); has {
		return a.ValueAt
	}
	return n.At
}

// Elements are the elements of a name directly inside, those of no namespace.
func (n *Node) Elements(name string) []*Node {
	return n.Inside(func(c *Node) bool { return c.Name == name && c.Space == "" && c.Prefix == "" })
}

// Named are the elements of a name directly inside, whatever their namespace. libvirt
// looks for some elements so, for others only in no namespace.
func (n *Node) Named(name string) []*Node {
	return n.Inside(func(c *Node) bool { return c.Name == name })
}

// Inside are the elements directly inside that are wanted.
func (n *Node) Inside(wanted func(*Node) bool) []*Node {
	if n == nil {
		return nil
	}
	var found []*Node
	for _, c := range n.Children {
		if c.Kind == Element && wanted(c) {
			found = append(found, c)
		}
	}
	return found
}

// Element is the first of the elements of a name, nil when there are none.
func (n *Node) Element(name string) *Node {
	if all := n.Elements(name); len(all) > 0 {
		return all[0]
	}
	return nil
}

// Content is all text inside, that of elements inside included.
func (n *Node) Content() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	n.addContent(&b)
	return b.String()
}

func (n *Node) addContent(b *strings.Builder) {
	switch n.Kind {
	case Text, CDATA:
		b.WriteString(n.Text)
	case Element:
		for _, c := range n.Children {
			c.addContent(b)
		}
	}
}
