package libvirtxml

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// mostNotes is how many notes a document gets. It has more when it is no network.
const mostNotes = 200

// noter collects what libvirt ignores, which is a mistake more often than not.
type noter struct {
	lines *lines
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
	p.Line, p.Column = w.lines.position(at)
	w.notes = append(w.notes, p)
}

// element looks at an element that libvirt knows, and at what is inside.
func (w *noter) element(n *node) {
	r := ruleOf(n)
	if !r.foreign {
		w.attributes(n, r)
	}
	firsts := map[string]*node{}
	for _, c := range n.children {
		switch {
		case len(w.notes) >= mostNotes:
			return
		case r.foreign || c.kind == commentNode || c.kind == instructionNode:
		case c.kind != elementNode:
			w.text(n, c, r)
		case c.space == dnsmasqSpace:
			w.dnsmasq(n, c)
		case !slices.Contains(r.inside(), c.name) || c.space != "" && !anySpace[c.name]:
			w.unknown(n, c, r)
		case firsts[c.name] != nil && slices.Contains(r.once, c.name):
			w.repeated(c, firsts[c.name])
		default:
			firsts[c.name] = c
			w.element(c)
		}
	}
}

// anySpace are the elements that libvirt takes from any namespace.
var anySpace = map[string]bool{"range": true, "host": true, "bootp": true, "lease": true, "hostname": true, "inbound": true, "outbound": true, "parameters": true}

// attributes looks at the attributes of an element.
func (w *noter) attributes(n *node, r rule) {
	for _, a := range n.attrs {
		switch {
		case a.space == xmlSpace || a.space == "" && slices.Contains(r.attributes, a.name):
		case a.space != "":
			w.say(a.at, "", "the attribute %s of <%s> is in the namespace %s, which is not libvirt's", fullName(a.prefix, a.name), n.name, a.space)
		default:
			w.say(a.at, attributeHint(n, a.name, r), "the attribute %s is ignored: <%s> has none of this name", a.name, n.name)
		}
	}
}

// attributeHint guesses which attribute was meant: one spelled alike, or one of an
// element inside or around.
func attributeHint(n *node, name string, r rule) string {
	if near := meantBy(name, r.attributes); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	for _, c := range r.inside() {
		if slices.Contains(ruleOf(&node{name: c, parent: n}).attributes, name) {
			return fmt.Sprintf("it belongs to <%s>, inside <%s>", c, n.name)
		}
	}
	if n.parent != nil && slices.Contains(ruleOf(n.parent).attributes, name) {
		return fmt.Sprintf("it belongs to <%s>", n.parent.name)
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
func (w *noter) text(n, c *node, r rule) {
	shown := strings.Join(strings.Fields(c.text), " ")
	if r.holdsText || shown == "" {
		return
	}
	if runes := []rune(shown); len(runes) > 40 {
		shown = string(runes[:40]) + "…"
	}
	blank := len(c.text) - len(strings.TrimLeft(c.text, " \t\r\n"))
	hint := ""
	if strings.HasPrefix(shown, "#") || strings.HasPrefix(shown, "//") {
		hint = "a comment is written <!-- so -->"
	}
	w.say(c.at+blank, hint, "the text %q inside <%s> is ignored", shown, n.name)
}

// unknown looks at an element that libvirt does not know where it is.
func (w *noter) unknown(n, c *node, r rule) {
	name := fullName(c.prefix, c.name)
	switch {
	case strings.Contains(c.name, ":"):
		w.say(c.at, prefixHint(c), "<%s> is ignored: nothing declares the prefix %s", name, c.name[:strings.IndexByte(c.name, ':')])
	case c.space != "":
		w.say(c.at, foreignHint(n, c), "<%s> is ignored: its namespace %s is not libvirt's", name, c.space)
	default:
		w.say(c.at, elementHint(n, c, r), "<%s> is ignored: <%s> has no element of this name", name, n.name)
	}
}

// elementHint guesses which element was meant, or where it belongs.
func elementHint(n, c *node, r rule) string {
	if near := meantBy(c.name, r.inside()); near != "" {
		return fmt.Sprintf("did you mean <%s>?", near)
	}
	if in := homes(c.name); len(in) > 0 {
		for i, name := range in {
			in[i] = "<" + name + ">"
		}
		return "it belongs inside " + strings.Join(in, " or ")
	}
	if slices.Contains(r.attributes, c.name) {
		return fmt.Sprintf("it is an attribute: <%s %s='…'>", n.name, c.name)
	}
	return ""
}

func prefixHint(c *node) string {
	if prefix, name, _ := strings.Cut(c.name, ":"); name == "options" || prefix == "dnsmasq" {
		return fmt.Sprintf("write <network xmlns:%s='%s'>", prefix, dnsmasqSpace)
	}
	return ""
}

func foreignHint(n, c *node) string {
	if c.name == "options" {
		return fmt.Sprintf("that of dnsmasq is %s", dnsmasqSpace)
	}
	if n.parent == nil {
		return "inside <metadata> it is kept"
	}
	return ""
}

// repeated looks at an element of which there may be one.
func (w *noter) repeated(c, before *node) {
	line, _ := w.lines.position(before.at)
	if c.name == "bootp" || c.name == "lease" {
		w.say(c.at, "remove one of them", "of several <%s> the last counts; there is one at line %d", c.name, line)
		return
	}
	w.say(c.at, "remove one of them", "a second <%s> is ignored, the first one is at line %d", c.name, line)
}

// dnsmasq looks at elements of the namespace of dnsmasq.
func (w *noter) dnsmasq(n, c *node) {
	name := fullName(c.prefix, c.name)
	if c.name != "options" || n.parent != nil {
		w.say(c.at, "it belongs directly inside <network>", "<%s> is ignored inside <%s>", name, n.name)
		return
	}
	for _, option := range c.inside(func(*node) bool { return true }) {
		if option.space != dnsmasqSpace || option.name != "option" {
			w.say(option.at, fmt.Sprintf("write <%s value='…'/>", fullName(c.prefix, "option")), "<%s> is ignored inside <%s>", fullName(option.prefix, option.name), name)
		}
	}
}
