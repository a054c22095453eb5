package xpath

import "strings"

// printer writes nodes as libxml2 does: two spaces a level, double quotes, and no
// layout where an element holds text.
type printer struct{ strings.Builder }

func (p *printer) node(n *node, level int, laidOut bool) {
	switch n.kind {
	case root:
		p.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
		for _, c := range n.children {
			p.node(c, 0, true)
			p.WriteByte('\n')
		}
	case attribute:
		p.WriteString(" " + n.written() + `="` + quoted.Replace(n.value) + `"`)
	case text:
		p.WriteString(escaped.Replace(n.value))
	case comment:
		p.WriteString("<!--" + n.value + "-->")
	default:
		p.element(n, level, laidOut)
	}
}

func (p *printer) element(n *node, level int, laidOut bool) {
	p.WriteString("<" + n.written())
	for _, list := range [][]*node{n.namespaces, n.attributes} {
		for _, a := range list {
			p.node(a, 0, false)
		}
	}
	if len(n.children) == 0 {
		p.WriteString("/>")
		return
	}
	p.WriteByte('>')
	p.inside(n, level, laidOut)
	p.WriteString("</" + n.written() + ">")
}

// inside writes the children, each on a line of its own unless one is text.
func (p *printer) inside(n *node, level int, laidOut bool) {
	for _, c := range n.children {
		laidOut = laidOut && c.kind != text
	}
	for _, c := range n.children {
		if laidOut {
			p.WriteString("\n" + strings.Repeat("  ", level+1))
		}
		p.node(c, level+1, laidOut)
	}
	if laidOut {
		p.WriteString("\n" + strings.Repeat("  ", level))
	}
}

// written is the name with its prefix.
func (n *node) written() string {
	if n.prefix == "" {
		return n.name
	}
	return n.prefix + ":" + n.name
}

var (
	escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	quoted  = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")
)
