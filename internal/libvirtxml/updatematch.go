package libvirtxml

import (
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/xmltree"
)

// alike reports whether the element has the same values as another one.
func (c *change) alike(old *xmltree.Node, names []string) bool {
	mine, its := facts(c.node), facts(old)
	return !slices.ContainsFunc(names, func(name string) bool { return mine[name] != its[name] })
}

// facts are the attributes of an element, with one way of writing for each address,
// and a prefix for a netmask.
func facts(n *xmltree.Node) map[string]string {
	facts := map[string]string{}
	for _, a := range n.Attrs {
		value := a.Value
		if address, ok := parseAddress(value); ok && strings.ContainsAny(value, ".:") {
			value = formatAddress(address)
		}
		if mac, ok := parseMAC(a.Value); ok {
			value = mac.String()
		}
		facts[a.Name] = value
	}
	if mask, ok := parseAddress(facts["netmask"]); ok && mask.Is4() && maskLength(mask) >= 0 {
		delete(facts, "netmask")
		facts["prefix"] = strconv.Itoa(maskLength(mask))
	}
	if facts["family"] == "ipv4" {
		delete(facts, "family")
	}
	return facts
}

// tag is how an element begins, with its attributes, for people.
func tag(n *xmltree.Node) string {
	var b strings.Builder
	b.WriteString("<" + n.FullName())
	for _, a := range n.Attrs {
		b.WriteString(" " + a.FullName() + "='" + a.Value + "'")
	}
	return b.String() + ">"
}
