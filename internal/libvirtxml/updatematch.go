package libvirtxml

import (
	"slices"
	"strconv"
	"strings"
)

// alike reports whether the element has the same values as another one.
func (c *change) alike(old *node, names []string) bool {
	mine, its := c.node.facts(), old.facts()
	return !slices.ContainsFunc(names, func(name string) bool { return mine[name] != its[name] })
}

// facts are the attributes of an element, with one way of writing for each address,
// and a prefix for a netmask.
func (n *node) facts() map[string]string {
	facts := map[string]string{}
	for _, a := range n.attrs {
		value := a.value
		if address, ok := parseAddress(value); ok && strings.ContainsAny(value, ".:") {
			value = formatAddress(address)
		}
		if mac, ok := parseMAC(a.value); ok {
			value = mac.String()
		}
		facts[a.name] = value
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
func (n *node) tag() string {
	var b strings.Builder
	b.WriteString("<" + fullName(n.prefix, n.name))
	for _, a := range n.attrs {
		b.WriteString(" " + fullName(a.prefix, a.name) + "='" + a.value + "'")
	}
	return b.String() + ">"
}
