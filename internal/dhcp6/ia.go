package dhcp6

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// forever is the duration without an end on the wire, all bits set (RFC 8415
// section 7.7).
const forever = 0xffffffff * time.Second

// result is what becomes of one IA.
type result struct {
	ia     ia
	addr   netip.Addr   // given, invalid for none
	life   spec.Seconds // of addr
	client lease.Client // to whom
	dead   []netip.Addr // told with lifetimes 0: the client must not use them any longer
	status *dhcpv6.OptStatusCode
	err    error // why there is no addr
}

func anyGiven(results []result) bool {
	return slices.ContainsFunc(results, func(r result) bool { return r.addr.IsValid() })
}

func status(code iana.StatusCode, text string) *dhcpv6.OptStatusCode {
	return &dhcpv6.OptStatusCode{StatusCode: code, StatusMessage: text}
}

// encode turns results into options. All IAs have the same T1 and T2, half and
// four fifths of the shortest lifetime, so that the client renews them in one
// message (RFC 8415 sections 18.3.2 and 21.4).
func encode(results []result) []dhcpv6.Option {
	shortest := forever
	for _, r := range results {
		if r.addr.IsValid() {
			shortest = min(shortest, wire(r.life))
		}
	}
	t1, t2 := shortest/2, shortest/5*4
	if shortest == forever {
		t1, t2 = forever, forever
	}
	options := make([]dhcpv6.Option, 0, len(results))
	for _, r := range results {
		options = append(options, r.encode(t1, t2))
	}
	return options
}

func (r result) encode(t1, t2 time.Duration) dhcpv6.Option {
	var inside dhcpv6.Options
	if r.addr.IsValid() {
		inside.Add(iaAddress(r.addr, wire(r.life)))
	} else {
		t1, t2 = 0, 0
	}
	for _, a := range r.dead {
		inside.Add(iaAddress(a, 0))
	}
	if r.status != nil {
		inside.Add(r.status)
	}
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], r.ia.id)
	switch r.ia.code {
	case dhcpv6.OptionIAPD:
		return &dhcpv6.OptIAPD{IaId: id, Options: dhcpv6.PDOptions{Options: inside}}
	case dhcpv6.OptionIATA:
		return &dhcpv6.OptIATA{IaId: id, Options: dhcpv6.IdentityOptions{Options: inside}}
	}
	return &dhcpv6.OptIANA{IaId: id, T1: t1, T2: t2, Options: dhcpv6.IdentityOptions{Options: inside}}
}

// iaAddress tells an address. It is preferred as long as it is valid: a guest that
// renews in time never sees it deprecated.
func iaAddress(a netip.Addr, life time.Duration) *dhcpv6.OptIAAddress {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.IP(a.AsSlice()), PreferredLifetime: life, ValidLifetime: life}
}

func wire(s spec.Seconds) time.Duration {
	if s == spec.Infinite {
		return forever
	}
	return min(time.Duration(s)*time.Second, forever-time.Second)
}
