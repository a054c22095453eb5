package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cnames checks aliases: what has one has no other data (RFC 1034 section 3.6.2),
// and following them ends.
func (c *checker) cnames(path string, n *Network) {
	d, others, first := n.DNS, n.recordNames(), map[string]string{}
	next := map[string]string{}
	for alias, target := range d.CNAMEs {
		next[d.Key(alias)] = d.Key(target)
	}
	turning := circles(next)
	for _, alias := range slices.Sorted(maps.Keys(d.CNAMEs)) {
		p := Field(path, alias)
		c.recordName(p, alias, d, first)
		c.addError(p, "", checkTarget(d.CNAMEs[alias]))
		key := d.Key(alias)
		if what := others[key]; what != "" {
			c.add(p, "remove one of them", "%q cannot be an alias, it has %s", alias, what)
		}
		if turning[key] {
			c.add(p, "let one of the aliases point to a name with addresses", "the alias %q leads back to itself", alias)
		}
	}
}

// recordNames are the names with data other than a CNAME, and what data.
func (n *Network) recordNames() map[string]string {
	d, names := n.DNS, map[string]string{}
	for _, s := range n.Subnets {
		if s.DHCP != nil {
			for key := range s.DHCP.Hosts {
				if name := ReservedName(key); name != "" {
					names[d.Key(name)] = "a reserved address"
				}
			}
		}
	}
	for name := range d.Hosts {
		names[d.Key(name)] = "an address in hosts"
	}
	for name := range d.TXT {
		names[d.Key(name)] = "a text in txt"
	}
	for _, r := range d.MX {
		if r.Name != "" {
			names[d.Key(r.Name)] = "a record in mx"
		}
	}
	for _, r := range d.SRV {
		names[d.Key(r.Name)] = "a record in srv"
	}
	if d.Domain != "" {
		names[strings.ToLower(d.Domain)] = "the records of the domain itself"
	}
	return names
}

// circles finds the names from which following aliases comes back to them. Each
// name is walked over once.
func circles(next map[string]string) map[string]bool {
	found, walk := map[string]bool{}, map[string]int{}
	number := 0
	for start := range next {
		number++
		at, known := start, true
		for known && walk[at] == 0 {
			walk[at] = number
			at, known = next[at]
		}
		for known && walk[at] == number && !found[at] {
			found[at] = true
			at = next[at]
		}
	}
	return found
}

// srv checks a service record.
func (c *checker) srv(path string, r SRV) {
	c.addError(Field(path, "name"), "", checkServiceName(r.Name))
	target := Field(path, "target")
	away := r.Target == "" || r.Target == "."
	if !away {
		c.addError(target, "", checkTarget(r.Target))
	}
	if r.Port < 0 || r.Port > 65535 || r.Port == 0 && !away {
		c.add(Field(path, "port"), "", "the port %d is outside 1 to 65535", r.Port)
	}
	c.uint16(Field(path, "priority"), "priority", r.Priority)
	c.uint16(Field(path, "weight"), "weight", r.Weight)
}

// checkServiceName wants _service._protocol in front (RFC 2782).
func checkServiceName(name string) error {
	labels := strings.SplitN(strings.TrimSuffix(name, "."), ".", 3)
	if len(labels) < 2 || !strings.HasPrefix(labels[0], "_") || !strings.HasPrefix(labels[1], "_") {
		return fmt.Errorf("%q is not the name of a service such as _ldap._tcp", name)
	}
	return CheckHostName(strings.TrimSuffix(name, "."))
}

// mx checks a mail exchanger.
func (c *checker) mx(path string, r MX, domain string) {
	switch {
	case r.Name != "":
		c.addError(Field(path, "name"), "", checkRecordName(strings.TrimSuffix(r.Name, ".")))
	case domain == "":
		c.add(Field(path, "name"), "add it, or dns.domain", "the record has no name, and the network no domain")
	}
	if r.Host != "." { // no mail is taken (RFC 7505)
		c.addError(Field(path, "host"), "", checkTarget(r.Host))
	}
	c.uint16(Field(path, "preference"), "preference", r.Preference)
}

func (c *checker) listedTwice(path string, twice bool) {
	if twice {
		c.add(path, "remove it", "the record is listed twice")
	}
}

func (c *checker) uint16(path, what string, n int) {
	if n < 0 || n > 65535 {
		c.add(path, "", "the %s %d is outside 0 to 65535", what, n)
	}
}
