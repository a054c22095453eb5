package dhcp6

import (
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/hostname"
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
	f.label = hostname.Clean(hostname.FirstLabel(b[1:]))
	return f
}

// answerFQDN tells the client its name: always one that the server registers,
// whatever the client would rather do, since nobody else can.
func answerFQDN(asked *fqdn, name, domain string) dhcpv6.Option {
	data := []byte{flagServer}
	if asked != nil && asked.flags&flagServer == 0 {
		data[0] |= flagOverride
	}
	return &dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionFQDN, OptionData: hostname.AppendWire(data, name, domain)}
}
