package libvirtxml

// dnsmasqSpace is the namespace of dnsmasq:options.
const dnsmasqSpace = "http://libvirt.org/schemas/network/dnsmasq/1.0"

// dnsmasqLines reads lines for the configuration of dnsmasq.
func dnsmasqLines(root *node) ([]string, error) {
	var lines []string
	ofDnsmasq := func(name string) func(*node) bool {
		return func(c *node) bool { return c.name == name && c.space == dnsmasqSpace }
	}
	for _, options := range root.inside(ofDnsmasq("options")) {
		for _, option := range options.inside(ofDnsmasq("option")) {
			if !option.has("value") {
				return nil, refuse(option.at, classInternal, "No dnsmasq options value specified")
			}
			lines = append(lines, option.value("value"))
		}
	}
	return lines, nil
}

// metadata keeps one element for each namespace. What is in none, and a second one of
// the same, libvirt drops.
func metadata(e *node) []Element {
	if e == nil {
		return nil
	}
	kept := []Element{} // there was a <metadata>, if an empty one
	seen := map[string]bool{}
	for _, c := range e.children {
		if c.kind != elementNode || c.space == "" || seen[c.space] {
			continue
		}
		seen[c.space] = true
		kept = append(kept, Element{Namespace: c.space, Text: c.alone()})
	}
	return kept
}
