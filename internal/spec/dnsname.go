package spec

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// Key is the name as the DNS service knows it: lower case, without the network's
// domain where what is left is one label. A name without a dot is below the
// domain; one with a dot, the "*." of a wildcard apart, is complete.
func (d *DNS) Key(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if d == nil || d.Domain == "" {
		return name
	}
	below, ok := strings.CutSuffix(name, "."+strings.ToLower(d.Domain))
	if ok && !strings.Contains(strings.TrimPrefix(below, "*."), ".") {
		return below
	}
	return name
}

// checkDomain accepts the domain of a network.
func checkDomain(name string) error {
	lower := "." + strings.ToLower(name)
	switch {
	case len(name) > longestDomain:
		return fmt.Errorf("the domain has %d characters, at most %d leave room for the names in it", len(name), longestDomain)
	case strings.HasSuffix(lower, ".in-addr.arpa") || strings.HasSuffix(lower, ".ip6.arpa"):
		return fmt.Errorf("%q is for the names of addresses, which come from hosts and leases", name)
	}
	return cmp.Or(CheckHostName(name), checkNotLocalhost(name))
}

// checkNotLocalhost refuses what must not mean anything else (RFC 6761 section 6.3).
func checkNotLocalhost(name string) error {
	if strings.HasSuffix("."+strings.ToLower(name), ".localhost") {
		return fmt.Errorf("%q cannot be given: names of localhost mean the guest itself (RFC 6761)", name)
	}
	return nil
}

// checkRecordName accepts the name of a record: a host name, or a wildcard, which
// stands for whatever is below a name.
func checkRecordName(name string) error {
	rest, wild := strings.CutPrefix(name, "*")
	if below, ok := strings.CutPrefix(rest, "."); wild && ok {
		rest = below
	} else if wild && rest == "" {
		return nil
	}
	if strings.Contains(rest, "*") {
		return advise("write *.apps or *", "%q has a * that is not the whole first label", name)
	}
	return CheckHostName(rest)
}

// checkTarget accepts a name that a record points to, also with its final dot.
func checkTarget(name string) error {
	if strings.Contains(name, "*") {
		return fmt.Errorf("%q is a wildcard, a record points to one name", name)
	}
	if name == "" {
		return fmt.Errorf("the name is missing")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return advise("give it a name in hosts", "%s is an address, a record points to a name", name)
	}
	return CheckHostName(strings.TrimSuffix(name, "."))
}
