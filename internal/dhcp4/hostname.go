package dhcp4

import "strings"

// Flags of option 81 (RFC 4702 section 2.1).
const (
	fqdnServer   = 1 << 0 // S: the server keeps the address record
	fqdnOverride = 1 << 1 // O: the server did not follow the client's S
	fqdnEncoded  = 1 << 2 // E: the name is in DNS wire form
)

// maxLabel is the longest label of a domain name (RFC 1035 section 2.3.4).
const maxLabel = 63

// refused names have a meaning of their own to resolvers; a guest that took one
// could speak for the whole network.
var refused = map[string]bool{"localhost": true, "wpad": true, "isatap": true}

// cleanHostname makes a host label of what a client calls itself: the first
// label in lower case, of letters, digits and dashes (RFC 1123 section 2.1).
// Other characters become dashes; "" is what leaves nothing, or is refused.
func cleanHostname(name string) string {
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

// firstLabel reads the first label of a name in DNS wire form, "" when there is
// none.
func firstLabel(b []byte) string {
	if len(b) == 0 || b[0] == 0 || b[0] > maxLabel || len(b) < 1+int(b[0]) {
		return ""
	}
	return string(b[1 : 1+b[0]])
}

// fqdnAnswer is option 81 of an answer: the server keeps the address record
// whatever the client wished (RFC 4702 section 4). The two RCODE fields are
// obsolete and 255.
func fqdnAnswer(flags byte, label, domain string) string {
	out := []byte{fqdnServer | flags&fqdnEncoded, 255, 255}
	if flags&fqdnServer == 0 {
		out[0] |= fqdnOverride
	}
	name := label
	if domain != "" {
		name += "." + domain
	}
	if flags&fqdnEncoded == 0 {
		return string(append(out, name...))
	}
	for part := range strings.SplitSeq(name, ".") {
		out = append(append(out, byte(len(part))), part...)
	}
	if domain != "" {
		out = append(out, 0) // without it the name is a partial one
	}
	return string(out)
}
