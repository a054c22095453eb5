package spec

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// Prefixes are one or several addresses with a prefix length, written as a word or
// as a list. An address alone is a prefix of its full length.
type Prefixes string

// List returns the prefixes; those that cannot be read are told in the error.
func (p Prefixes) List() ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, word := range words(string(p)) {
		prefix, err := netip.ParsePrefix(word)
		if a, bare := netip.ParseAddr(word); err != nil && bare == nil {
			prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return list, fmt.Errorf("%q is not an address such as 192.168.1.100/24", word)
		}
		list = append(list, prefix)
	}
	return list, nil
}

// UnmarshalList takes the prefixes from a list.
func (p *Prefixes) UnmarshalList(list []string) error { *p = Prefixes(join(list)); return nil }

// UnmarshalJSON reads a word or a list.
func (p *Prefixes) UnmarshalJSON(b []byte) error { return readWords(b, (*string)(p)) }

// PortRanges are one or several ports or ranges of ports, written as a word or as
// a list.
type PortRanges string

// List returns the ranges; those that cannot be read are told in the error.
func (p PortRanges) List() ([]PortRange, error) {
	var list []PortRange
	for _, word := range words(string(p)) {
		r, err := ParsePortRange(word)
		if err != nil {
			return list, err
		}
		list = append(list, r)
	}
	return list, nil
}

// UnmarshalList takes the ranges from a list.
func (p *PortRanges) UnmarshalList(list []string) error { *p = PortRanges(join(list)); return nil }

// UnmarshalJSON reads a word, a number, or a list of those.
func (p *PortRanges) UnmarshalJSON(b []byte) error {
	var list []port
	if json.Unmarshal(b, &list) != nil {
		return json.Unmarshal(b, (*port)(p))
	}
	texts := make([]string, len(list))
	for i, one := range list {
		texts[i] = string(one)
	}
	return p.UnmarshalList(texts)
}

// port is a port or a range of ports in JSON, which may be a number.
type port string

// UnmarshalJSON reads text or a number.
func (p *port) UnmarshalJSON(b []byte) error {
	var n json.Number
	if json.Unmarshal(b, &n) == nil {
		*p = port(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(p))
}

// List returns the parties as they are written.
func (p Parties) List() []string { return words(string(p)) }

// UnmarshalList takes the parties from a list.
func (p *Parties) UnmarshalList(list []string) error { *p = Parties(join(list)); return nil }

// UnmarshalJSON reads a word or a list.
func (p *Parties) UnmarshalJSON(b []byte) error { return readWords(b, (*string)(p)) }

// words cuts a text at commas and blanks.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

func join(list []string) string { return strings.Join(list, ", ") }

// readWords reads JSON text, or a list of texts, into words with commas between.
func readWords(b []byte, into *string) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*into = join(list)
		return nil
	}
	return json.Unmarshal(b, into)
}
