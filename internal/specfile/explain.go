package specfile

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// explain rewords the errors of net/netip, which name Go functions.
func explain(text string, t reflect.Type, err error) (message, hint string) {
	switch t {
	case reflect.TypeFor[netip.Prefix]():
		return explainPrefix(text)
	case reflect.TypeFor[netip.Addr]():
		if p, err := netip.ParsePrefix(text); err == nil {
			return fmt.Sprintf("%q has a prefix length, an address alone is needed", text), "write " + p.Addr().String()
		}
		return fmt.Sprintf("%q is not an IP address", text), leadingZeros(text)
	case reflect.TypeFor[spec.Resolver]():
		return err.Error(), resolverHint(text)
	}
	return err.Error(), ""
}

func resolverHint(text string) string {
	if p, err := netip.ParsePrefix(text); err == nil {
		return "write " + p.Addr().String()
	}
	if strings.Trim(text, "0123456789.:[]abcdefABCDEF") != "" {
		return "write its address: whom should one ask for its name?"
	}
	return leadingZeros(text)
}

func explainPrefix(text string) (message, hint string) {
	if a, err := netip.ParseAddr(text); err == nil {
		length := 24
		if a.Is6() {
			length = 64
		}
		return fmt.Sprintf("%q has no prefix length", text), fmt.Sprintf("write for instance %s/%d", text, length)
	}
	address, length, _ := strings.Cut(text, "/")
	a, err := netip.ParseAddr(address)
	if err != nil {
		return fmt.Sprintf("%q is not an address with a prefix length", text), leadingZeros(address)
	}
	if m, err := netip.ParseAddr(length); err == nil && m.Is4() && a.Is4() {
		if bits, ok := maskBits(m); ok {
			return fmt.Sprintf("%q has a netmask in place of a prefix length", text), fmt.Sprintf("write %s/%d", a, bits)
		}
	}
	return fmt.Sprintf("%q has the prefix length %q, which is not a number from 0 to %d", text, length, a.BitLen()), ""
}

// maskBits returns the length of a netmask such as 255.255.255.0.
func maskBits(m netip.Addr) (int, bool) {
	b := m.As4()
	n := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	bits := 0
	for ; n&(1<<31) != 0; n <<= 1 {
		bits++
	}
	return bits, n == 0
}

func leadingZeros(address string) string {
	for part := range strings.SplitSeq(address, ".") {
		if len(part) > 1 && part[0] == '0' && !strings.Contains(address, ":") {
			return "write its numbers without leading zeros, some programs read those as octal"
		}
	}
	return ""
}

// wrongKind reports a list where an object is needed, and so on.
func (d *decoder) wrongKind(path string, n *yaml.Node, t reflect.Type) {
	if t == reflect.TypeFor[[]netip.Prefix]() && n.Value == "inherit" {
		d.fault(n, path, "inherit is not supported by this version", "list the addresses that the bridge shall have, for instance [192.168.1.10/24]")
		return
	}
	d.fault(n, path, fmt.Sprintf("%s is needed, not %s", article(t), nodeArticle(n)), d.kindHint(path, n, t))
}

// kindHint shows the value in the form that is needed, where that can be told.
func (d *decoder) kindHint(path string, n *yaml.Node, t reflect.Type) string {
	segments := spec.Split(path)
	key := segments[max(0, len(segments)-1):]
	one := n.Kind == yaml.ScalarNode && len(n.Value) <= 60 && !strings.ContainsAny(n.Value, "\n,{}[]")
	switch {
	case path == "":
		return d.emptyHint()
	case t.Kind() == reflect.Slice && n.Kind == yaml.MappingNode:
		return "put a dash before each element"
	case t.Kind() == reflect.Slice && one && isWordType(t.Elem()) || t == reflect.TypeFor[[]string]() && one:
		return fmt.Sprintf("write %s: [%s]", strings.Join(key, ""), n.Value)
	case t.Kind() == reflect.String && n.Kind == yaml.SequenceNode && len(n.Content) == 1:
		return fmt.Sprintf("write %s: %s", strings.Join(key, ""), n.Content[0].Value)
	case t.Kind() == reflect.String && n.Kind == yaml.SequenceNode:
		return "write one text, with commas where several values are meant"
	case t.Kind() == reflect.Struct && one:
		fields := fieldsOf(t)
		for _, name := range append(likely[t], "enabled", "name", "address", "ip") {
			if _, has := fields[name]; has && (name == "enabled") == (n.Tag == "!!bool") {
				return fmt.Sprintf("write {%s: %s}", name, n.Value)
			}
		}
	}
	return ""
}

// isWordType reports whether a value of the type is written as a word.
func isWordType(t reflect.Type) bool {
	v := reflect.New(t).Elem()
	return isText(v) || isWords(v)
}

// likely are the keys that a word in place of an object is most likely the value of.
var likely = map[reflect.Type][]string{
	reflect.TypeFor[spec.Uplink]():     {"bridge"},
	reflect.TypeFor[spec.Interface]():  {"network"},
	reflect.TypeFor[spec.AddressSet](): {"addresses"},
	reflect.TypeFor[spec.Traffic]():    {"protocol"},
	reflect.TypeFor[spec.Bandwidth]():  {"out"},
	reflect.TypeFor[spec.Storm]():      {"broadcast"},
	reflect.TypeFor[spec.Access]():     {"user"},
}

var articles = map[reflect.Type]string{
	reflect.TypeFor[netip.Prefix]():    "an address with a prefix length",
	reflect.TypeFor[netip.Addr]():      "an IP address",
	reflect.TypeFor[spec.MAC]():        "an Ethernet address",
	reflect.TypeFor[spec.AddrRange]():  "an address or an address range",
	reflect.TypeFor[spec.LeaseRange](): "an address range",
	reflect.TypeFor[spec.Resolver]():   "the address of a server",
	reflect.TypeFor[spec.Addresses]():  "an IP address",
	reflect.TypeFor[spec.Seconds]():    "a duration",
	reflect.TypeFor[spec.Prefixes]():   "an address with a prefix length",
	reflect.TypeFor[spec.PortRange]():  "a port or a range of ports",
	reflect.TypeFor[spec.PortRanges](): "a port, or a list of ports,",
	reflect.TypeFor[spec.Listen]():     "a port, or an address and a port,",
	reflect.TypeFor[spec.Target]():     "a guest, or a guest and a port,",
	reflect.TypeFor[spec.Rate]():       "a rate such as 10mbit",
	reflect.TypeFor[spec.Parties]():    "the name of a network, or a list of them,",
	reflect.TypeFor[spec.Guard]():      "a guard such as strict, or a list of words,",
}

// article names what a type is written as.
func article(t reflect.Type) string {
	if words, ok := articles[t]; ok {
		return words
	}
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int:
		return "a number"
	}
	return "text"
}

func nodeArticle(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	return strconv.Quote(n.Value)
}
