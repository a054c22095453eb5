package xpath

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// kind is what a node is.
type kind int

const (
	root kind = iota
	element
	attribute
	text
	comment
)

// node is a node of a document. Its name has a prefix where it was written with one.
type node struct {
	kind         kind
	prefix, name string
	value        string // of attribute, text and comment
	parent       *node
	attributes   []*node
	namespaces   []*node // declarations, which are no attributes to XPath
	children     []*node
	index        int // among the children, or the attributes, of the parent
}

// read builds the tree of a document. Blanks between elements are left out, as a
// reader who lays the document out anew does.
func read(document string) (*node, error) {
	d := xml.NewDecoder(strings.NewReader(document))
	top := &node{kind: root}
	at := top
	for {
		token, err := d.RawToken() // names with their prefixes, which are printed again
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the document: %w", err)
		}
		if at, err = at.take(token); err != nil {
			return nil, err
		}
	}
	if at != top || len(top.children) == 0 {
		return nil, errors.New("read the document: it ends too early")
	}
	top.tidy()
	return top, nil
}

// take adds what a token says below n, and returns the node that the next one is in.
func (n *node) take(token xml.Token) (*node, error) {
	switch t := token.(type) {
	case xml.StartElement:
		child := n.add(&node{kind: element, prefix: t.Name.Space, name: t.Name.Local})
		for _, a := range t.Attr {
			child.give(a)
		}
		return child, nil
	case xml.EndElement:
		if n.kind != element || n.prefix != t.Name.Space || n.name != t.Name.Local {
			return nil, fmt.Errorf("read the document: </%s> ends nothing", t.Name.Local)
		}
		return n.parent, nil
	case xml.CharData:
		n.write(string(t))
	case xml.Comment:
		n.add(&node{kind: comment, value: string(t)})
	}
	return n, nil
}

func (n *node) add(child *node) *node {
	child.parent = n
	n.children = append(n.children, child)
	return child
}

// give adds an attribute, or the declaration of a namespace.
func (n *node) give(a xml.Attr) {
	made := &node{kind: attribute, prefix: a.Name.Space, name: a.Name.Local, value: a.Value, parent: n}
	if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
		n.namespaces = append(n.namespaces, made)
		return
	}
	made.index = len(n.attributes)
	n.attributes = append(n.attributes, made)
}

// write adds text; a CDATA section is a part of the text around it.
func (n *node) write(s string) {
	if last := len(n.children) - 1; last >= 0 && n.children[last].kind == text {
		n.children[last].value += s
	} else if n.kind == element {
		n.add(&node{kind: text, value: s})
	}
}

// tidy takes blanks between elements away, and numbers what is left.
func (n *node) tidy() {
	var kept []*node
	for _, c := range n.children {
		if !n.layout(c) {
			c.index = len(kept)
			kept = append(kept, c)
		}
	}
	n.children = kept
	for _, c := range n.children {
		c.tidy()
	}
}

// layout reports whether a child is blanks that only lay out the elements beside it.
func (n *node) layout(c *node) bool {
	if c.kind != text || strings.Trim(c.value, " \t\r\n") != "" {
		return false
	}
	for _, sibling := range n.children {
		if sibling.kind == text && strings.Trim(sibling.value, " \t\r\n") != "" {
			return false // the text is mixed with elements: every blank may count
		}
	}
	return len(n.children) > 1
}

// content is the value XPath gives the node: of an element all text in it.
func (n *node) content() string {
	if n.kind != element && n.kind != root {
		return n.value
	}
	var b strings.Builder
	for _, c := range n.children {
		if c.kind != comment {
			b.WriteString(c.content())
		}
	}
	return b.String()
}
