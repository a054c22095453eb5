package xpath

import (
	"fmt"
	"slices"

	"kvmnet/internal/xmltree"
)

// place is what XPath calls a node: the document, when node is nil; an element, text
// or a comment; or an attribute of an element, which counts from 1.
type place struct {
	node      *xmltree.Node
	attribute int
}

// document is a tree with what it takes to go from one node to the next.
type document struct {
	root     *xmltree.Node
	children map[*xmltree.Node][]*xmltree.Node // nil has the root
	index    map[*xmltree.Node]int             // among those of its parent
}

// read builds the tree of a document.
func read(text string) (*document, error) {
	root, _, err := xmltree.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	d := &document{root: root, children: map[*xmltree.Node][]*xmltree.Node{}, index: map[*xmltree.Node]int{}}
	d.enter(nil, []*xmltree.Node{root})
	return d, nil
}

// enter numbers nodes. Instructions are left out: the engine has no kind for them.
func (d *document) enter(parent *xmltree.Node, children []*xmltree.Node) {
	for _, c := range children {
		if c.Kind == xmltree.Instruction {
			continue
		}
		d.index[c] = len(d.children[parent])
		d.children[parent] = append(d.children[parent], c)
		d.enter(c, c.Children)
	}
}

// ordered lists the places of a set in the order of the document.
func (d *document) ordered(of map[place]bool) (list []place) {
	take := func(p place) {
		if of[p] {
			list = append(list, p)
		}
	}
	var visit func(n *xmltree.Node)
	visit = func(n *xmltree.Node) {
		take(place{node: n})
		if n != nil {
			for i := range n.Attrs {
				take(place{n, i + 1})
			}
		}
		for _, c := range d.children[n] {
			visit(c)
		}
	}
	visit(nil)
	return list
}

// attr is the attribute of a place that is one.
func (p place) attr() xmltree.Attr { return p.node.Attrs[p.attribute-1] }

// print writes what is at a place.
func (d *document) print(p place) string {
	switch {
	case p.node == nil:
		return d.root.Document()
	case p.attribute > 0:
		return " " + p.attr().Format()
	}
	return p.node.Format(0)
}

// wrap puts places into one element. Of several attributes of a name the last counts,
// and elements bring along the namespaces that were declared around them.
func (d *document) wrap(places []place) string {
	all := &xmltree.Node{Name: "nodes"}
	for _, p := range places {
		switch {
		case p.node == nil:
			all.Children = append(all.Children, d.root)
		case p.attribute > 0:
			a := p.attr()
			all.Attrs = append(slices.DeleteFunc(all.Attrs, func(b xmltree.Attr) bool { return b.FullName() == a.FullName() }), a)
		default:
			all.Children = append(all.Children, p.node.Apart())
		}
	}
	return all.Format(0)
}
