package dhcp6

import (
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Flags of the client FQDN option (RFC 4704 section 4.1).
const (
	flagServer   = 1 // S: the server registers the name
	flagOverride = 2 // O: the server decided S against what the client said
)

// fqdn is the client FQDN option, as far as it can be used.
type fqdn struct {
	flags uint8
	label string // the first label, "" = not a host name
}

// parseFQDN reads option 39. The name may be a partial one, without the root label
// at its end (RFC 4704 section 4.2); only the first label counts.
func parseFQDN(b []byte) *fqdn {
	if len(b) == 0 {
		return nil
	}
	f := &fqdn{flags: b[0]}
	if len(b) > 1 && int(b[1]) <= len(b)-2 {
		f.label = hostLabel(string(b[2 : 2+int(b[1])]))
	}
	return f
}

// hostLabel returns a label in lower case, or "" when it is not one that RFC 1123
// section 2.1 allows.
func hostLabel(s string) string {
	s = strings.ToLower(s)
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return ""
		}
	}
	return s
}

// answerFQDN tells the client its name: always one that the server registers,
// whatever the client would rather do, since nobody else can.
func answerFQDN(asked *fqdn, name, domain string) dhcpv6.Option {
	data := []byte{flagServer}
	if asked != nil && asked.flags&flagServer == 0 {
		data[0] |= flagOverride
	}
	data = append(append(data, byte(len(name))), name...)
	if domain != "" {
		for label := range strings.SplitSeq(strings.TrimSuffix(domain, "."), ".") {
			data = append(append(data, byte(len(label))), label...)
		}
		data = append(data, 0)
	}
	return &dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionFQDN, OptionData: data}
}
