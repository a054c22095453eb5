package dhcp6

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/spec"
)

// mostIAs bounds the work that one message makes.
const mostIAs = 32

// request is a client's message, as far as it matters for the answer.
type request struct {
	kind       dhcpv6.MessageType
	xid        dhcpv6.TransactionID
	duid       string // raw client identifier, "" = none
	server     string // raw server identifier
	hasServer  bool
	ias        []ia
	wanted     []dhcpv6.OptionCode // option request option
	rapid      bool                // rapid commit
	name       string              // host label, "" = none that can be used
	clientName *fqdn               // option 39, nil = none
	boot       bootClient          // what it boots by
	relays     []relay             // outermost first; none = straight from the client

	mac     spec.MAC // the client's; the rest is set by identify
	port    string   // where it is, "" = not known
	trusted bool     // it came by a trusted relay agent
	unicast bool     // the client sent it to the server's own address
}

// ia is an identity association that the client asks for or has.
type ia struct {
	code  dhcpv6.OptionCode // IA_NA, IA_TA or IA_PD
	id    uint32
	addrs []netip.Addr // of an IA_NA
}

// parse reads a message and the relays around it. Options that do not matter are
// not decoded: a client must not go without an address because of an odd one.
func parse(b []byte) (request, error) {
	relays, b, err := peel(b)
	if err != nil {
		return request{}, err
	}
	if len(b) < dhcpv6.MessageHeaderSize {
		return request{}, errors.New("read message: shorter than its header")
	}
	var options dhcpv6.Options
	if err := options.FromBytesWithParser(b[dhcpv6.MessageHeaderSize:], decode); err != nil {
		return request{}, fmt.Errorf("read options: %w", err)
	}
	r := request{kind: dhcpv6.MessageType(b[0]), xid: [3]byte(b[1:4]), relays: relays}
	for _, o := range options {
		r.take(o)
	}
	if len(r.ias) > mostIAs {
		return request{}, fmt.Errorf("read message: %d identity associations, more than %d", len(r.ias), mostIAs)
	}
	r.boot = newBootClient(options)
	return r, nil
}

// decode decodes what take looks into, and copies the rest.
func decode(code dhcpv6.OptionCode, data []byte) (dhcpv6.Option, error) {
	switch code {
	case dhcpv6.OptionIANA, dhcpv6.OptionIATA, dhcpv6.OptionIAPD, dhcpv6.OptionORO:
		return dhcpv6.ParseOption(code, data)
	}
	o := &dhcpv6.OptionGeneric{OptionCode: code}
	return o, o.FromBytes(data)
}

func (r *request) take(o dhcpv6.Option) {
	switch o := o.(type) {
	case *dhcpv6.OptIANA:
		r.add(ia{code: o.Code(), id: binary.BigEndian.Uint32(o.IaId[:]), addrs: addresses(o)})
	case *dhcpv6.OptIATA:
		r.add(ia{code: o.Code(), id: binary.BigEndian.Uint32(o.IaId[:])})
	case *dhcpv6.OptIAPD:
		r.add(ia{code: o.Code(), id: binary.BigEndian.Uint32(o.IaId[:])})
	case *dhcpv6.OptionGeneric:
		r.takeRaw(o.OptionCode, o.OptionData)
	default:
		list := dhcpv6.MessageOptions{Options: dhcpv6.Options{o}}
		r.wanted = append(r.wanted, list.RequestedOptions()...)
	}
}

func (r *request) takeRaw(code dhcpv6.OptionCode, data []byte) {
	switch code {
	case dhcpv6.OptionClientID:
		r.duid = string(data)
	case dhcpv6.OptionServerID:
		r.server, r.hasServer = string(data), true
	case dhcpv6.OptionRapidCommit:
		r.rapid = true
	case dhcpv6.OptionFQDN:
		r.clientName = parseFQDN(data)
		if r.clientName != nil {
			r.name = r.clientName.label
		}
	}
}

// add keeps the first of several associations that say to be the same.
func (r *request) add(a ia) {
	if !slices.ContainsFunc(r.ias, func(b ia) bool { return a.code == b.code && a.id == b.id }) {
		r.ias = append(r.ias, a)
	}
}

func (r *request) wants(code dhcpv6.OptionCode) bool { return slices.Contains(r.wanted, code) }

// names reports whether the message is about the IA_NA of that id.
func (r *request) names(id uint32) bool {
	return slices.ContainsFunc(r.ias, func(a ia) bool { return a.code == dhcpv6.OptionIANA && a.id == id })
}

func addresses(o *dhcpv6.OptIANA) []netip.Addr {
	var addrs []netip.Addr
	for _, a := range o.Options.Addresses() {
		if addr, ok := netip.AddrFromSlice(a.IPv6Addr); ok && !addr.IsUnspecified() && !slices.Contains(addrs, addr) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
