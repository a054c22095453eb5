package dhcp4

import "kvmnet/internal/hostname"

// Flags of option 81 (RFC 4702 section 2.1).
const (
	fqdnServer   = 1 << 0 // S: the server keeps the address record
	fqdnOverride = 1 << 1 // O: the server did not follow the client's S
	fqdnEncoded  = 1 << 2 // E: the name is in DNS wire form
)

// fqdnAnswer is option 81 of an answer: the server keeps the address record
// whatever the client wished (RFC 4702 section 4). The two RCODE fields are
// obsolete and 255.
func fqdnAnswer(flags byte, label, domain string) string {
	out := []byte{fqdnServer | flags&fqdnEncoded, 255, 255}
	if flags&fqdnServer == 0 {
		out[0] |= fqdnOverride
	}
	if flags&fqdnEncoded != 0 {
		return string(hostname.AppendWire(out, label, domain))
	}
	out = append(out, label...)
	if domain != "" {
		out = append(append(out, '.'), domain...)
	}
	return string(out)
}
