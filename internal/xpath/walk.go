package xpath

import (
	"github.com/antchfx/xpath"

	"kvmnet/internal/xmltree"
)

// walker is at a place in a document, for the engine that evaluates expressions.
type walker struct {
	*document
	place
}

var _ xpath.NodeNavigator = (*walker)(nil)

// NodeType implements xpath.NodeNavigator.
func (w *walker) NodeType() xpath.NodeType {
	switch {
	case w.node == nil:
		return xpath.RootNode
	case w.attribute > 0:
		return xpath.AttributeNode
	case w.node.IsText():
		return xpath.TextNode
	case w.node.Kind == xmltree.Comment:
		return xpath.CommentNode
	}
	return xpath.ElementNode
}

// LocalName implements xpath.NodeNavigator.
func (w *walker) LocalName() string { return w.name().Name }

// Prefix implements xpath.NodeNavigator.
func (w *walker) Prefix() string { return w.name().Prefix }

// NamespaceURL is what the engine takes for namespace-uri().
func (w *walker) NamespaceURL() string { return w.name().Space }

// name is the name of what the walker is at, as that of an attribute.
func (w *walker) name() xmltree.Attr {
	switch {
	case w.node == nil:
		return xmltree.Attr{}
	case w.attribute > 0:
		return w.attr()
	}
	return xmltree.Attr{Prefix: w.node.Prefix, Name: w.node.Name, Space: w.node.Space}
}

// Value implements xpath.NodeNavigator. That of an element is all text inside.
func (w *walker) Value() string {
	switch w.NodeType() {
	case xpath.RootNode:
		return w.root.Content()
	case xpath.AttributeNode:
		return w.attr().Value
	case xpath.CommentNode:
		return w.node.Text
	}
	return w.node.Content()
}

// Copy implements xpath.NodeNavigator.
func (w *walker) Copy() xpath.NodeNavigator { return &walker{w.document, w.place} }

// MoveToRoot implements xpath.NodeNavigator.
func (w *walker) MoveToRoot() { w.place = place{} }

// MoveToParent implements xpath.NodeNavigator.
func (w *walker) MoveToParent() bool {
	switch {
	case w.node == nil:
		return false
	case w.attribute > 0:
		w.attribute = 0
	default:
		w.node = w.node.Parent
	}
	return true
}

// MoveToNextAttribute implements xpath.NodeNavigator. From an element it goes to the
// first.
func (w *walker) MoveToNextAttribute() bool {
	if w.node == nil || w.attribute >= len(w.node.Attrs) {
		return false
	}
	w.attribute++
	return true
}

// MoveToChild implements xpath.NodeNavigator.
func (w *walker) MoveToChild() bool {
	children := w.children[w.node]
	if w.attribute > 0 || len(children) == 0 {
		return false
	}
	w.node = children[0]
	return true
}

// MoveToFirst implements xpath.NodeNavigator.
func (w *walker) MoveToFirst() bool { return w.index[w.node] > 0 && w.sibling(-w.index[w.node]) }

// MoveToNext implements xpath.NodeNavigator.
func (w *walker) MoveToNext() bool { return w.sibling(1) }

// MoveToPrevious implements xpath.NodeNavigator.
func (w *walker) MoveToPrevious() bool { return w.sibling(-1) }

// MoveTo implements xpath.NodeNavigator.
func (w *walker) MoveTo(other xpath.NodeNavigator) bool {
	to, ok := other.(*walker)
	if ok {
		w.place = to.place
	}
	return ok
}

func (w *walker) sibling(by int) bool {
	if w.node == nil || w.attribute > 0 {
		return false
	}
	siblings, to := w.children[w.node.Parent], w.index[w.node]+by
	if to < 0 || to >= len(siblings) {
		return false
	}
	w.node = siblings[to]
	return true
}
