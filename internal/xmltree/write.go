package xmltree

import (
	"fmt"
	"slices"
	"strings"
)

// Alone writes an element so that it can stand by itself: it declares the namespaces
// that were declared around it.
func (n *Node) Alone() string { return n.Apart().Format(0) }

// Apart is an element that declares the namespaces that were declared around it, so
// that it can stand elsewhere.
func (n *Node) Apart() *Node {
	copied := *n
	copied.Declared = append(missing(n), n.Declared...)
	return &copied
}

// missing are the namespaces that an element uses and does not declare.
func missing(n *Node) []Attr {
	var found []Attr
	n.walk(nil, func(prefix, space string, declared []Attr) {
		uses := func(d Attr) bool { return d.Name == prefix }
		if space != "" && space != XMLSpace && !slices.ContainsFunc(declared, uses) && !slices.ContainsFunc(found, uses) {
			found = append(found, Attr{Name: prefix, Value: space})
		}
	})
	return found
}

// walk tells every name below an element, with what is declared there.
func (n *Node) walk(declared []Attr, tell func(prefix, space string, declared []Attr)) {
	if n.Kind != Element {
		return
	}
	declared = append(slices.Clip(declared), n.Declared...)
	tell(n.Prefix, n.Space, declared)
	for _, a := range n.Attrs {
		if a.Prefix != "" {
			tell(a.Prefix, a.Space, declared)
		}
	}
	for _, c := range n.Children {
		c.walk(declared, tell)
	}
}

// Format writes an element as libxml2 does, level times indented: elements in lines of
// their own, but for those with text among them.
func (n *Node) Format(level int) string {
	p := printer{attributes: ascii}
	p.node(n, level, true)
	return p.String()
}

// Document writes a document with the element as its root. Since it says that it is
// UTF-8, every character stands for itself.
func (n *Node) Document() string {
	p := printer{attributes: func(value string) string { return value }}
	p.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	p.node(n, 0, true)
	p.WriteString("\n")
	return p.String()
}

// Format writes an attribute.
func (a Attr) Format() string {
	return a.FullName() + `="` + ascii(escapeAttribute.Replace(a.Value)) + `"`
}

// printer writes nodes; attributes is what becomes of values that are escaped.
type printer struct {
	strings.Builder
	attributes func(value string) string
}

func (p *printer) node(n *Node, level int, lines bool) {
	switch n.Kind {
	case Text:
		p.WriteString(escapeText.Replace(n.Text))
	case CDATA:
		p.WriteString("<![CDATA[" + n.Text + "]]>")
	case Comment:
		p.WriteString("<!--" + n.Text + "-->")
	case Instruction:
		p.WriteString("<?" + n.Name)
		if n.Text != "" {
			p.WriteString(" " + n.Text)
		}
		p.WriteString("?>")
	default:
		p.element(n, level, lines)
	}
}

var (
	escapeText      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	escapeAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")
)

func (p *printer) element(n *Node, level int, lines bool) {
	p.WriteString("<" + n.FullName())
	for _, d := range n.Declared {
		p.WriteString(" " + strings.TrimSuffix("xmlns:"+d.Name, ":") + "=" + quote(d.Value))
	}
	for _, a := range n.Attrs {
		p.WriteString(" " + a.FullName() + `="` + p.attributes(escapeAttribute.Replace(a.Value)) + `"`)
	}
	if len(n.Children) == 0 {
		p.WriteString("/>")
		return
	}
	p.WriteString(">")
	p.inside(n, level, lines)
	p.WriteString("</" + n.FullName() + ">")
}

// inside writes what an element holds, in lines unless there is text.
func (p *printer) inside(n *Node, level int, lines bool) {
	lines = lines && !slices.ContainsFunc(n.Children, (*Node).IsText)
	for _, c := range n.Children {
		if lines {
			p.WriteString("\n" + indent(level+1))
		}
		p.node(c, level+1, lines)
	}
	if lines {
		p.WriteString("\n" + indent(level))
	}
}

// deepest is the level up to which libxml2 indents.
const deepest = 30

func indent(level int) string { return strings.Repeat("  ", min(level, deepest)) }

// quote puts the URI of a namespace into the quotes that it does not have itself.
func quote(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(s)
	switch {
	case !strings.Contains(s, `"`):
		return `"` + s + `"`
	case !strings.Contains(s, "'"):
		return "'" + s + "'"
	}
	return `"` + strings.ReplaceAll(s, `"`, "&quot;") + `"`
}

// ascii writes what is not ASCII by its number, which libxml2 does in attributes.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		fmt.Fprintf(&b, "&#x%X;", r)
	}
	return b.String()
}
