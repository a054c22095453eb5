package hostname

import "strings"

// maxLabel is the longest label of a domain name (RFC 1035 section 2.3.4).
const maxLabel = 63

// refused names have a meaning of their own to resolvers; a guest that took one
// could speak for the whole network (CERT VU#598349).
var refused = map[string]bool{"localhost": true, "wpad": true, "isatap": true}

// Clean makes a host label of a name: the first label in lower case, of letters,
// digits and dashes (RFC 1123 section 2.1). Other characters become dashes; "" is
// what leaves nothing, or is refused.
func Clean(name string) string {
	name = strings.TrimLeft(strings.Trim(name, "\x00 "), ".")
	if dot := strings.IndexByte(name, '.'); dot >= 0 {
		name = name[:dot]
	}
	label := strings.Trim(strings.Map(hostRune, name), "-")
	if len(label) > maxLabel {
		label = strings.TrimRight(label[:maxLabel], "-")
	}
	if refused[label] {
		return ""
	}
	return label
}

// hostRune maps a rune to what a host label may contain.
func hostRune(r rune) rune {
	switch {
	case 'A' <= r && r <= 'Z':
		return r + 'a' - 'A'
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return r
	}
	return '-'
}

// FirstLabel reads the first label of a name in DNS wire form, as it is; "" when
// there is none.
func FirstLabel(b []byte) string {
	if len(b) == 0 || b[0] == 0 || b[0] > maxLabel || len(b) < 1+int(b[0]) {
		return ""
	}
	return string(b[1 : 1+b[0]])
}

// AppendWire appends label.domain in DNS wire form. Without a domain it is a
// partial name, which has no root label at its end (RFC 4704 section 4.2).
func AppendWire(b []byte, label, domain string) []byte {
	b = append(append(b, byte(len(label))), label...)
	if domain == "" {
		return b
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(domain, "."), ".") {
		b = append(append(b, byte(len(part))), part...)
	}
	return append(b, 0)
}
