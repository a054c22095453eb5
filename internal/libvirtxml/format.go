package libvirtxml

import (
	"fmt"
	"strconv"
	"strings"

	"kvmnet/internal/xmltree"
)

// Format writes the network as libvirt does: net-dumpxml prints this. With Connections
// set it is a running network's.
func (n *Network) Format() string {
	w := &writer{}
	w.open("network", w.root(n)...)
	w.text("name", n.Name)
	w.text("uuid", n.UUID)
	w.text("title", n.Title)
	w.text("description", n.Description)
	w.metadata(n.Metadata)
	w.forward(n.Forward)
	w.bridge(n.Bridge, n.mode())
	w.mtu(n.MTU)
	w.mac(n)
	w.domain(n.Domain)
	w.dns(n.DNS)
	w.vlan(n.VLAN)
	w.bandwidth(n.Bandwidth)
	w.isolated(n.Isolated)
	for _, ip := range n.IPs {
		w.ip(ip)
	}
	for _, r := range n.Routes {
		w.route(r)
	}
	w.virtualPort(n.VirtualPort)
	for _, g := range n.PortGroups {
		w.portGroup(g)
	}
	w.dnsmasq(n.DnsmasqLines)
	w.close("network")
	return w.b.String()
}

// writer writes elements in lines of their own, two spaces a level, values in single
// quotes. It has a method for each element of the model.
type writer struct {
	b     strings.Builder
	level int
}

// pair is an attribute to write. Without a value it is left out, unless it is kept.
type pair struct {
	name, value string
	keep        bool
}

func (w *writer) line(s string) {
	w.b.WriteString(strings.Repeat("  ", w.level) + s + "\n")
}

// open writes a start tag; what follows is inside, up to close.
func (w *writer) open(name string, pairs ...pair) {
	w.line("<" + name + attributes(pairs) + ">")
	w.level++
}

func (w *writer) close(name string) {
	w.level--
	w.line("</" + name + ">")
}

// empty writes an element without content.
func (w *writer) empty(name string, pairs ...pair) {
	w.line("<" + name + attributes(pairs) + "/>")
}

// text writes an element of text, unless there is none.
func (w *writer) text(name, text string) {
	if text != "" {
		w.line("<" + name + ">" + escape(text) + "</" + name + ">")
	}
}

// around writes an element with what inside writes, or an empty one when it writes
// nothing.
func (w *writer) around(name string, pairs []pair, inside func(*writer)) {
	inner := &writer{level: w.level + 1}
	inside(inner)
	if inner.b.Len() == 0 {
		w.empty(name, pairs...)
		return
	}
	w.open(name, pairs...)
	w.b.WriteString(inner.b.String())
	w.close(name)
}

func attributes(pairs []pair) string {
	var b strings.Builder
	for _, p := range pairs {
		if p.value != "" || p.keep {
			fmt.Fprintf(&b, " %s='%s'", p.name, breaks.Replace(escape(p.value)))
		}
	}
	return b.String()
}

var (
	escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "'", "&apos;", "\"", "&quot;", "\r", "&#13;")
	breaks  = strings.NewReplacer("\n", "&#10;", "\t", "&#9;")
)

// escape makes text fit for an element or an attribute. Control characters are left
// out, as libvirt does. What a reader would take for a space or another end of line
// goes by its number, for which libvirt does not care.
func escape(s string) string {
	return escapes.Replace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' {
			return -1
		}
		return r
	}, s))
}

// positive writes a number, "" for 0.
func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// root are the attributes of <network>.
func (w *writer) root(n *Network) []pair {
	pairs := []pair{
		{name: "connections", value: positive(n.Connections)},
		{name: "ipv6", value: n.IPv6},
		{name: "trustGuestRxFilters", value: n.TrustGuestRxFilters},
	}
	if len(n.DnsmasqLines) > 0 {
		pairs = append([]pair{{name: "xmlns:dnsmasq", value: dnsmasqSpace}}, pairs...)
	}
	return pairs
}

// metadata writes foreign elements, each as it is but for its indentation. What is no
// element is left out: nobody could read the dump.
func (w *writer) metadata(kept []Element) {
	switch {
	case kept == nil:
		return
	case len(kept) == 0:
		w.empty("metadata")
		return
	}
	w.open("metadata")
	for _, e := range kept {
		if n, _, err := xmltree.Parse(e.Text); err == nil {
			w.line(n.Format(w.level))
		}
	}
	w.close("metadata")
}

// dnsmasq writes lines for the configuration of dnsmasq.
func (w *writer) dnsmasq(lines []string) {
	if len(lines) == 0 {
		return
	}
	w.open("dnsmasq:options")
	for _, line := range lines {
		w.empty("dnsmasq:option", pair{name: "value", value: line, keep: true})
	}
	w.close("dnsmasq:options")
}
