package dhcp4

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/hostname"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// kind is the message type, option 53 (RFC 2132 section 9.6).
type kind byte

const (
	discover kind = 1 + iota
	offer
	request
	decline
	ack
	nak
	release
	inform
)

// Codes of the options that the server itself understands or writes.
const (
	optMask          = 1
	optRouter        = 3
	optHostname      = 12
	optVendorInfo    = 43
	optRequested     = 50
	optLeaseTime     = 51
	optOverload      = 52
	optMessageType   = 53
	optServerID      = 54
	optParameters    = 55
	optMessage       = 56
	optMaxSize       = 57
	optRenewal       = 58
	optRebinding     = 59
	optVendorClass   = 60
	optClientID      = 61
	optTFTPServer    = 66
	optBootFile      = 67
	optUserClass     = 77
	optRapidCommit   = 80
	optFQDN          = 81
	optRelayInfo     = 82
	optArchitecture  = 93
	optMachineID     = 97
	optSubnetSelect  = 118
	optTFTPAddresses = 150
	optIPXE          = 175
)

// Why a datagram is not answered before anybody looks at leases.
var (
	errMalformed = errors.New("malformed")
	errBOOTP     = errors.New("BOOTP without a message type")
	errHardware  = errors.New("not an Ethernet client")
)

// query is a message of a client, read once. It owns all it refers to.
type query struct {
	kind     kind
	frame    spec.MAC   // source of the frame: the client, or the relay or router before it
	from     netip.Addr // source of the datagram, invalid or 0.0.0.0 = a client without an address
	xid      [4]byte
	flags    uint16
	ciaddr   netip.Addr // invalid = 0.0.0.0, like the three below
	giaddr   netip.Addr
	asked    netip.Addr // option 50
	server   netip.Addr // option 54
	chaddr   spec.MAC
	life     uint32 // option 51, 0 = none
	params   []byte // option 55, nil = none
	maxSize  int    // option 57, 0 = none
	clientID string // option 61
	hostname string // from option 81 or 12, clean
	fqdn     byte   // flags of option 81
	hasFQDN  bool
	rapid    bool // option 80
	relay    []byte
	link     netip.Addr // where a relay says the client is: option 82.5 or 118
	subnet   []byte     // option 118
	boot     bootClient
}

const flagBroadcast = 0x8000

// parse reads a datagram. Its errors are errMalformed, errBOOTP and errHardware.
func parse(p socket.Packet) (*query, error) {
	if b := p.Payload; len(b) >= headerSize && b[0] == 1 && [4]byte(b[headerSize-4:]) != cookie {
		return nil, errBOOTP // RFC 951, before there were options
	}
	m, err := dhcpv4.FromBytes(p.Payload)
	if err != nil || m.OpCode != dhcpv4.OpcodeBootRequest {
		return nil, errMalformed
	}
	o := m.Options
	if len(o[optMessageType]) == 0 {
		return nil, errBOOTP
	}
	if m.HWType != 1 || len(m.ClientHWAddr) != 6 {
		return nil, errHardware
	}
	q := &query{
		kind: kind(o[optMessageType][0]), frame: p.MAC, from: p.From.Addr(),
		xid: m.TransactionID, flags: m.Flags, chaddr: spec.MAC(m.ClientHWAddr),
		ciaddr: address(m.ClientIPAddr), giaddr: address(m.GatewayIPAddr),
		asked: address(o[optRequested]), server: address(o[optServerID]),
		params: o[optParameters], clientID: string(o[optClientID]),
		rapid: o.Has(dhcpv4.GenericOptionCode(optRapidCommit)), relay: o[optRelayInfo],
		boot: readBootClient(o),
	}
	if q.chaddr.IsZero() || q.chaddr.IsMulticast() {
		return nil, errHardware
	}
	q.readNumbers(o)
	q.readName(o)
	q.readLink(o)
	return q, nil
}

func (q *query) readNumbers(o dhcpv4.Options) {
	if b := o[optLeaseTime]; len(b) == 4 {
		q.life = binary.BigEndian.Uint32(b)
	}
	if b := o[optMaxSize]; len(b) == 2 {
		q.maxSize = int(binary.BigEndian.Uint16(b))
	}
}

// readName takes the name from option 81 rather than 12: a client that sends the
// former should not send the latter (RFC 4702 section 3.1).
func (q *query) readName(o dhcpv4.Options) {
	q.hostname = hostname.Clean(string(o[optHostname]))
	b := o[optFQDN]
	if len(b) < 3 {
		return
	}
	q.hasFQDN, q.fqdn = true, b[0]
	name := string(b[3:])
	if q.fqdn&fqdnEncoded != 0 {
		name = hostname.FirstLabel(b[3:])
	}
	if name = hostname.Clean(name); name != "" {
		q.hostname = name
	}
}

// readLink looks where the client is if that is not the relay's own subnet:
// option 118 (RFC 3011), or the link selection of the relay (RFC 3527), which
// wins because it is the relay's word.
func (q *query) readLink(o dhcpv4.Options) {
	q.subnet = o[optSubnetSelect]
	q.link = address(q.subnet)
	for b := q.relay; len(b) >= 2 && len(b) >= 2+int(b[1]); b = b[2+int(b[1]):] {
		if a := address(b[2 : 2+int(b[1])]); b[0] == 5 && a.IsValid() {
			q.link = a
		}
	}
}

// wants reports whether the client asks for an option; one without a list asks
// for all.
func (q *query) wants(code byte) bool {
	return q.params == nil || strings.IndexByte(string(q.params), code) >= 0
}

// address reads four bytes; 0.0.0.0 and other lengths are no address.
func address(b []byte) netip.Addr {
	if len(b) != 4 || b[0]|b[1]|b[2]|b[3] == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(b))
}
