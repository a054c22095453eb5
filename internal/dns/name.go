package dns

import (
	"strings"

	"github.com/miekg/dns"
)

// Names inside this room are in lower case and end with a dot, as miekg/dns
// prints them; the root is ".".

// parent cuts the first label off: vm1.lab. → lab. → the root; of the root it
// is "".
func parent(name string) string {
	if name == "." {
		return ""
	}
	if i, end := dns.NextLabel(name, 0); !end {
		return name[i:]
	}
	return "."
}

// label is the first label of a name.
func label(name string) string { return strings.TrimSuffix(name[:len(name)-len(parent(name))], ".") }

// isPlain tells whether a name has one label.
func isPlain(name string) bool { return name != "." && parent(name) == "." }

// below tells whether a name is a zone or lies in it.
func below(name, zone string) bool {
	if strings.Contains(name, `\`) { // a label may have a dot inside
		return dns.IsSubDomain(zone, name)
	}
	return zone == "." || name == zone || strings.HasSuffix(name, "."+zone)
}

// nameOf reads a name in wire form.
func nameOf(wire []byte) (string, bool) {
	name, _, err := dns.UnpackDomainName(wire, 0)
	return name, err == nil
}

// keyOf is the key a query for this name and type would have.
func keyOf(name string, kind uint16, traits byte) ([]byte, bool) {
	var wire [nameMax + 1]byte
	n, err := dns.PackDomainName(name, wire[:], 0, nil, false)
	if err != nil {
		return nil, false
	}
	return append(wire[:n:n], byte(kind>>8), byte(kind), traits), true
}
