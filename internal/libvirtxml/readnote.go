package libvirtxml

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
	"kvmnet/internal/xmltree"
)

// mostNotes is how many notes a document gets. It has more when it is no network.
const mostNotes = 200

// noter collects what libvirt ignores, which is a mistake more often than not.
type noter struct {
	lines *xmltree.Lines
	notes []specfile.Problem
}

// notes finds what has no effect in a network that was read.
func (d *Document) notes() []specfile.Problem {
	w := &noter{lines: d.lines}
	w.element(d.root)
	w.meanings(d.root)
	slices.SortStableFunc(w.notes, func(a, b specfile.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return w.notes
}

// say adds a note at a byte of the document.
func (w *noter) say(at int, hint, format string, values ...any) {
	if len(w.notes) >= mostNotes {
		return
	}
	p := specfile.Problem{Message: fmt.Sprintf(format, values...), Hint: hint}
	p.Line, p.Column = w.lines.Position(at)
	w.notes = append(w.notes, p)
}

// element looks at an element that libvirt knows, and at what is inside.
func (w *noter) element(n *xmltree.Node) {
	r := ruleOf(n)
	if !r.foreign {
		w.attributes(n, r)
	}
	firsts := map[string]*xmltree.Node{}
	for _, c := range n.Children {
		switch {
		case len(w.notes) >= mostNotes:
			return
		case r.foreign || c.Kind == xmltree.Comment || c.Kind == xmltree.Instruction:
		case c.Kind != xmltree.Element:
			w.text(n, c, r)
		case c.Space == dnsmasqSpace:
			w.dnsmasq(n, c)
		case !slices.Contains(r.inside(), c.Name) || c.Space != "" && !anySpace[c.Name]:
			w.unknown(n, c, r)
		case firsts[c.Name] != nil && slices.Contains(r.once, c.Name):
			w.repeated(c, firsts[c.Name])
		default:
			firsts[c.Name] = c
			w.element(c)
		}
	}
}

// anySpace are the elements that libvirt takes from any namespace.
var anySpace = map[string]bool{"range": true, "host": true, "bootp": true, "lease": true, "hostname": true, "inbound": true, "outbound": true, "parameters": true}

// attributes looks at the attributes of an element.
func (w *noter) attributes(n *xmltree.Node, r rule) {
	for _, a := range n.Attrs {
		switch {
		case a.Space == xmltree.XMLSpace || a.Space == "" && slices.Contains(r.attributes, a.Name):
		case a.Space != "":
			w.say(a.At, "", "the attribute %s of <%s> is in the namespace %s, which is not libvirt's", a.FullName(), n.Name, a.Space)
		default:
			w.say(a.At, attributeHint(n, a.Name, r), "the attribute %s is ignored: <%s> has none of this name", a.Name, n.Name)
		}
	}
}

// attributeHint guesses which attribute was meant: one spelled alike, or one of an
// element inside or around.
func attributeHint(n *xmltree.Node, name string, r rule) string {
	if near := meantBy(name, r.attributes); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	for _, c := range r.inside() {
		if slices.Contains(ruleOf(&xmltree.Node{Name: c, Parent: n}).attributes, name) {
			return fmt.Sprintf("it belongs to <%s>, inside <%s>", c, n.Name)
		}
	}
	if n.Parent != nil && slices.Contains(ruleOf(n.Parent).attributes, name) {
		return fmt.Sprintf("it belongs to <%s>", n.Parent.Name)
	}
	return ""
}

// meantBy finds a word spelled alike, or one that another ends with: forwardDelay is
// delay.
func meantBy(word string, known []string) string {
	if near := spec.Nearest(word, known); near != "" {
		return near
	}
	for _, k := range known {
		if len(k) > 3 && strings.HasSuffix(strings.ToLower(word), strings.ToLower(k)) {
			return k
		}
	}
	return ""
}

// text looks at text, which is expected in few elements.
func (w *noter) text(n, c *xmltree.Node, r rule) {
	shown := strings.Join(strings.Fields(c.Text), " ")
	if r.holdsText || shown == "" {
		return
	}
	if runes := []rune(shown); len(runes) > 40 {
		shown = string(runes[:40]) + "…"
	}
	blank := len(c.Text) - len(strings.TrimLeft(c.Text, " \t\r\n"))
	hint := ""
	if strings.HasPrefix(shown, "#") || strings.HasPrefix(shown, "//") {
		hint = "a comment is written <!-- so -->"
	}
	w.say(c.At+blank, hint, "the text %q inside <%s> is ignored", shown, n.Name)
}

// unknown looks at an element that libvirt does not know where it is.
func (w *noter) unknown(n, c *xmltree.Node, r rule) {
	name := c.FullName()
	switch {
	case strings.Contains(c.Name, ":"):
		w.say(c.At, prefixHint(c), "<%s> is ignored: nothing declares the prefix %s", name, c.Name[:strings.IndexByte(c.Name, ':')])
	case c.Space != "":
		w.say(c.At, foreignHint(n, c), "<%s> is ignored: its namespace %s is not libvirt's", name, c.Space)
	default:
		w.say(c.At, elementHint(n, c, r), "<%s> is ignored: <%s> has no element of this name", name, n.Name)
	}
}

// elementHint guesses which element was meant, or where it belongs.
func elementHint(n, c *xmltree.Node, r rule) string {
	if near := meantBy(c.Name, r.inside()); near != "" {
		return fmt.Sprintf("did you mean <%s>?", near)
	}
	if in := homes(c.Name); len(in) > 0 {
		for i, name := range in {
			in[i] = "<" + name + ">"
		}
		return "it belongs inside " + strings.Join(in, " or ")
	}
	if slices.Contains(r.attributes, c.Name) {
		return fmt.Sprintf("it is an attribute: <%s %s='…'>", n.Name, c.Name)
	}
	return ""
}

func prefixHint(c *xmltree.Node) string {
	if prefix, name, _ := strings.Cut(c.Name, ":"); name == "options" || prefix == "dnsmasq" {
		return fmt.Sprintf("write <network xmlns:%s='%s'>", prefix, dnsmasqSpace)
	}
	return ""
}

func foreignHint(n, c *xmltree.Node) string {
	if c.Name == "options" {
		return fmt.Sprintf("that of dnsmasq is %s", dnsmasqSpace)
	}
	if n.Parent == nil {
		return "inside <metadata> it is kept"
	}
	return ""
}

// repeated looks at an element of which there may be one.
func (w *noter) repeated(c, before *xmltree.Node) {
	line, _ := w.lines.Position(before.At)
	if c.Name == "bootp" || c.Name == "lease" {
		w.say(c.At, "remove one of them", "of several <%s> the last counts; there is one at line %d", c.Name, line)
		return
	}
	w.say(c.At, "remove one of them", "a second <%s> is ignored, the first one is at line %d", c.Name, line)
}

// dnsmasq looks at elements of the namespace of dnsmasq.
func (w *noter) dnsmasq(n, c *xmltree.Node) {
	name := c.FullName()
	if c.Name != "options" || n.Parent != nil {
		w.say(c.At, "it belongs directly inside <network>", "<%s> is ignored inside <%s>", name, n.Name)
		return
	}
	for _, option := range c.Inside(func(*xmltree.Node) bool { return true }) {
		if option.Space != dnsmasqSpace || option.Name != "option" {
			w.say(option.At, fmt.Sprintf("write <%s value='…'/>", strings.TrimPrefix(c.Prefix+":option", ":")), "<%s> is ignored inside <%s>", option.FullName(), name)
		}
	}
}
