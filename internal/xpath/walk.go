package xpath

import "github.com/antchfx/xpath"

// walker is a place in a document, for the engine that evaluates expressions.
type walker struct{ at *node }

var _ xpath.NodeNavigator = (*walker)(nil)

// NodeType implements xpath.NodeNavigator.
func (w *walker) NodeType() xpath.NodeType {
	switch w.at.kind {
	case root:
		return xpath.RootNode
	case attribute:
		return xpath.AttributeNode
	case text:
		return xpath.TextNode
	case comment:
		return xpath.CommentNode
	}
	return xpath.ElementNode
}

// LocalName implements xpath.NodeNavigator.
func (w *walker) LocalName() string { return w.at.name }

// Prefix implements xpath.NodeNavigator.
func (w *walker) Prefix() string { return w.at.prefix }

// Value implements xpath.NodeNavigator.
func (w *walker) Value() string { return w.at.content() }

// Copy implements xpath.NodeNavigator.
func (w *walker) Copy() xpath.NodeNavigator { return &walker{w.at} }

// MoveToRoot implements xpath.NodeNavigator.
func (w *walker) MoveToRoot() {
	for w.at.parent != nil {
		w.at = w.at.parent
	}
}

// MoveToParent implements xpath.NodeNavigator.
func (w *walker) MoveToParent() bool { return w.move(w.at.parent) }

// MoveToNextAttribute implements xpath.NodeNavigator. From an element it goes to the
// first.
func (w *walker) MoveToNextAttribute() bool {
	of, next := w.at, 0
	if w.at.kind == attribute {
		of, next = w.at.parent, w.at.index+1
	}
	return next < len(of.attributes) && w.move(of.attributes[next])
}

// MoveToChild implements xpath.NodeNavigator.
func (w *walker) MoveToChild() bool {
	return len(w.at.children) > 0 && w.move(w.at.children[0])
}

// MoveToFirst implements xpath.NodeNavigator.
func (w *walker) MoveToFirst() bool { return w.at.index > 0 && w.sibling(-w.at.index) }

// MoveToNext implements xpath.NodeNavigator.
func (w *walker) MoveToNext() bool { return w.sibling(1) }

// MoveToPrevious implements xpath.NodeNavigator.
func (w *walker) MoveToPrevious() bool { return w.sibling(-1) }

// MoveTo implements xpath.NodeNavigator.
func (w *walker) MoveTo(other xpath.NodeNavigator) bool {
	to, ok := other.(*walker)
	return ok && w.move(to.at)
}

func (w *walker) sibling(by int) bool {
	if w.at.kind == attribute || w.at.parent == nil {
		return false
	}
	to := w.at.index + by
	return to >= 0 && to < len(w.at.parent.children) && w.move(w.at.parent.children[to])
}

func (w *walker) move(to *node) bool {
	if to != nil {
		w.at = to
	}
	return to != nil
}
