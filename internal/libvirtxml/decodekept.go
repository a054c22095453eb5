package libvirtxml

import "kvmnet/internal/xmltree"

// dnsmasqSpace is the namespace of dnsmasq:options.
const dnsmasqSpace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// dnsmasqLines reads lines for the configuration of dnsmasq.
func dnsmasqLines(root *xmltree.Node) ([]string, error) {
	var lines []string
	ofDnsmasq := func(name string) func(*xmltree.Node) bool {
		return func(c *xmltree.Node) bool { return c.Name == name && c.Space == dnsmasqSpace }
	}
	for _, options := range root.Inside(ofDnsmasq("options")) {
		for _, option := range options.Inside(ofDnsmasq("option")) {
			if !option.Has("value") {
				return nil, refuse(option.At, classInternal, "No dnsmasq options value specified")
			}
			lines = append(lines, option.Value("value"))
		}
	}
	return lines, nil
}

// metadata keeps one element for each namespace. What is in none, and a second one of
// the same, libvirt drops.
func metadata(e *xmltree.Node) []Element {
	if e == nil {
		return nil
	}
	kept := []Element{} // there was a <metadata>, if an empty one
	seen := map[string]bool{}
	for _, c := range e.Children {
		if c.Kind != xmltree.Element || c.Space == "" || seen[c.Space] {
			continue
		}
		seen[c.Space] = true
		kept = append(kept, Element{Namespace: c.Space, Text: c.Alone()})
	}
	return kept
}
