package xpath

import (
	"errors"
	"fmt"
	"slices"

	"github.com/antchfx/xpath"
)

// errNoNodes is an expression that has another value than nodes.
var errNoNodes = errors.New("the expression selects no nodes: it is a number, a text or a truth")

// Pick returns every node that an expression selects, as a text.
func Pick(document, expression string) ([]string, error) {
	nodes, err := selected(document, expression)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, n := range nodes {
		var p printer
		p.node(n, 0, true)
		texts = append(texts, p.String())
	}
	return texts, nil
}

// Wrapped returns every node that an expression selects, in one element.
func Wrapped(document, expression string) (string, error) {
	nodes, err := selected(document, expression)
	if err != nil {
		return "", err
	}
	all := &node{kind: element, name: "nodes"}
	for _, n := range nodes {
		switch n.kind {
		case root:
			all.children = append(all.children, n.children...)
		case attribute:
			all.attributes = append(slices.DeleteFunc(all.attributes, n.namesake), n)
		default:
			all.children = append(all.children, n)
		}
	}
	var p printer
	p.node(all, 0, true)
	return p.String(), nil
}

// namesake reports whether another attribute has the same name, which one element
// can have once.
func (n *node) namesake(other *node) bool { return n.written() == other.written() }

// selected evaluates an expression. The engine panics on some that are not well
// formed.
func selected(document, expression string) (nodes []*node, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			nodes, err = nil, fmt.Errorf("evaluate the expression: %v", fault)
		}
	}()
	compiled, err := xpath.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("read the expression: %w", err)
	}
	top, err := read(document)
	if err != nil {
		return nil, err
	}
	found, ok := compiled.Evaluate(&walker{top}).(*xpath.NodeIterator)
	if !ok {
		return nil, errNoNodes
	}
	seen := map[*node]bool{}
	for found.MoveNext() {
		seen[found.Current().(*walker).at] = true
	}
	return top.ordered(seen, nil), nil
}

// ordered lists the nodes of a set in the order of the document.
func (n *node) ordered(of map[*node]bool, list []*node) []*node {
	if of[n] {
		list = append(list, n)
	}
	for _, below := range [][]*node{n.attributes, n.children} {
		for _, c := range below {
			list = c.ordered(of, list)
		}
	}
	return list
}
