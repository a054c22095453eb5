package libvirtxml

import (
	"fmt"
	"slices"
	"strings"
)

// alone writes an element so that it can stand by itself: it declares the namespaces
// that were declared around it.
func (n *node) alone() string {
	copied := *n
	copied.declared = append(missing(n), n.declared...)
	return copied.write(0)
}

// missing are the namespaces that an element uses and does not declare.
func missing(n *node) []attr {
	var found []attr
	n.walk(nil, func(prefix, space string, declared []attr) {
		uses := func(d attr) bool { return d.name == prefix }
		if space != "" && space != xmlSpace && !slices.ContainsFunc(declared, uses) && !slices.ContainsFunc(found, uses) {
			found = append(found, attr{name: prefix, value: space})
		}
	})
	return found
}

// walk tells every name below an element, with what is declared there.
func (n *node) walk(declared []attr, tell func(prefix, space string, declared []attr)) {
	if n.kind != elementNode {
		return
	}
	declared = append(slices.Clip(declared), n.declared...)
	tell(n.prefix, n.space, declared)
	for _, a := range n.attrs {
		if a.prefix != "" {
			tell(a.prefix, a.space, declared)
		}
	}
	for _, c := range n.children {
		c.walk(declared, tell)
	}
}

// write writes an element as libxml2 does, level times indented: elements in lines of
// their own, but for those with text among them.
func (n *node) write(level int) string {
	var b strings.Builder
	n.writeTo(&b, level, true)
	return b.String()
}

func (n *node) writeTo(b *strings.Builder, level int, lines bool) {
	switch n.kind {
	case textNode:
		b.WriteString(escapeText.Replace(n.text))
	case cdataNode:
		b.WriteString("<![CDATA[" + n.text + "]]>")
	case commentNode:
		b.WriteString("<!--" + n.text + "-->")
	case instructionNode:
		b.WriteString("<?" + n.name)
		if n.text != "" {
			b.WriteString(" " + n.text)
		}
		b.WriteString("?>")
	default:
		n.writeElement(b, level, lines)
	}
}

var (
	escapeText      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")
	escapeAttribute = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\"", "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")
)

func (n *node) writeElement(b *strings.Builder, level int, lines bool) {
	name := fullName(n.prefix, n.name)
	b.WriteString("<" + name)
	for _, d := range n.declared {
		b.WriteString(" " + strings.TrimSuffix("xmlns:"+d.name, ":") + "=" + quote(d.value))
	}
	for _, a := range n.attrs {
		fmt.Fprintf(b, " %s=\"%s\"", fullName(a.prefix, a.name), ascii(escapeAttribute.Replace(a.value)))
	}
	if len(n.children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteString(">")
	lines = lines && !slices.ContainsFunc(n.children, (*node).isText)
	for _, c := range n.children {
		if lines {
			b.WriteString("\n" + indent(level+1))
		}
		c.writeTo(b, level+1, lines)
	}
	if lines {
		b.WriteString("\n" + indent(level))
	}
	b.WriteString("</" + name + ">")
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
