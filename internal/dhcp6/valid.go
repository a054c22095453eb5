package dhcp6

import (
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

// identifiers says what RFC 8415 section 16 demands of a kind of message.
type identifiers struct {
	client  bool // must have a client identifier
	server  bool // must have a server identifier
	foreign bool // may have none or ours: INFORMATION-REQUEST
	unicast bool // may come to our own address, and is then answered with UseMulticast
}

// rules are the messages that a server answers; all others are for somebody else.
var rules = map[dhcpv6.MessageType]identifiers{
	dhcpv6.MessageTypeSolicit:            {client: true},
	dhcpv6.MessageTypeRequest:            {client: true, server: true, unicast: true},
	dhcpv6.MessageTypeConfirm:            {client: true},
	dhcpv6.MessageTypeRenew:              {client: true, server: true, unicast: true},
	dhcpv6.MessageTypeRebind:             {client: true},
	dhcpv6.MessageTypeRelease:            {client: true, server: true, unicast: true},
	dhcpv6.MessageTypeDecline:            {client: true, server: true, unicast: true},
	dhcpv6.MessageTypeInformationRequest: {foreign: true},
}

// The lengths of a DUID (RFC 8415 section 11.1), its type of two octets included.
const (
	shortestDUID = 3
	longestDUID  = 130
)

// verdict is what becomes of a request.
type verdict uint8

const (
	answered verdict = iota
	invalid          // section 16 says to discard it
	foreign          // it is for another server
	silent           // sound, but there is nothing to say
	unsaved          // the book takes no leases at the moment
)

// judge applies section 16 of RFC 8415: whether to answer the request at all.
func judge(r *request, duid string) verdict {
	rule, known := rules[r.kind]
	switch {
	case !known,
		rule.client && r.duid == "",
		r.duid != "" && len(r.duid) < shortestDUID,
		len(r.duid) > longestDUID,
		rule.server && !r.hasServer,
		!rule.server && !rule.foreign && r.hasServer,
		r.unicast && !rule.unicast,
		r.kind == dhcpv6.MessageTypeInformationRequest && len(r.ias) > 0:
		return invalid
	case r.hasServer && r.server != duid:
		return foreign
	case r.kind == dhcpv6.MessageTypeConfirm && !slices.ContainsFunc(r.ias, func(a ia) bool { return len(a.addrs) > 0 }):
		return silent // section 18.3.3: nothing to confirm
	}
	return answered
}
